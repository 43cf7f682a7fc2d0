import { getCoreRowModel, getSortedRowModel, useReactTable } from '@tanstack/react-table';
import { useMemo, type ReactNode } from 'react';
import { useSearchParams } from 'react-router';
import type { StoredRun } from '../../api/testing';
import type { useRuns } from '../../api/testingQueries';
import { useParameter } from '../../state/view';
import { DataTable } from '../../ui/DataTable';
import { Empty, Loaded, Panel } from '../../ui/Panel';
import { useSortParameter } from '../../ui/sortParameter';
import { historyColumns } from './historyColumns';
import { picked } from './picking';

/** The stored runs: one opens, two are compared. */
export function History({ query, shown_id }: { readonly query: ReturnType<typeof useRuns>; readonly shown_id: string | null }): ReactNode {
  const items = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  return (
    <Panel title="History" count={query.data === undefined ? undefined : items.length} flush
      actions={<span className="muted wide-only">Choose two to compare them</span>}>
      <Loaded query={query} rows={4}>
        {() => (items.length === 0
          ? <Empty title="No run is stored"><p>Each test is kept with its figures once it has ended.</p></Empty>
          : (
            <>
              <HistoryTable runs={items} shown_id={shown_id} />
              {query.hasNextPage && (
                <p className="panel-foot">
                  <button type="button" className="small" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                    {query.isFetchingNextPage ? 'Loading' : 'Show older runs'}
                  </button>
                </p>
              )}
            </>
          ))}
      </Loaded>
    </Panel>
  );
}

function HistoryTable({ runs, shown_id }: { readonly runs: StoredRun[]; readonly shown_id: string | null }): ReactNode {
  const [parameters, setParameters] = useSearchParams();
  const [, open] = useParameter('run');
  const [a, b] = [parameters.get('a'), parameters.get('b')];
  const [sorting, onSortingChange] = useSortParameter('-started_at');
  const columns = useMemo(
    () => historyColumns({ a, b, open, pick: (id) => setParameters((before) => picked(before, id), { replace: true }) }),
    [a, b, open, setParameters],
  );
  const table = useReactTable({
    data: runs,
    columns,
    state: { sorting },
    onSortingChange,
    enableSortingRemoval: false,
    getRowId: (run) => run.id,
    getCoreRowModel: getCoreRowModel(),
    getSortedRowModel: getSortedRowModel(),
  });
  return <DataTable table={table} caption="Runs" min_width={1200} rowClass={(run) => (run.id === shown_id ? 'chosen' : undefined)} />;
}
