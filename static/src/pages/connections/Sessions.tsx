import { getCoreRowModel, getSortedRowModel, useReactTable } from '@tanstack/react-table';
import { useMemo, type ReactNode } from 'react';
import { useSessions } from '../../api/queries';
import type { ClientSession } from '../../api/types';
import { useConnection } from '../../state/context';
import { useParameter } from '../../state/view';
import { DataTable } from '../../ui/DataTable';
import { Empty, Loaded, Panel } from '../../ui/Panel';
import { SearchBox } from '../../ui/SearchBox';
import { useSortParameter } from '../../ui/sortParameter';
import { sessionColumns } from './sessionColumns';

const STATES = ['connected', 'disconnected'] as const;

/** Every session of the hub, open or waiting for its client to come back. */
export function Sessions(): ReactNode {
  const query = useSessions();
  const [text] = useParameter('q');
  const [state, setState] = useParameter('state');
  const all = query.data?.items;
  const shown = useMemo(() => filterSessions(all ?? [], text ?? '', state), [all, text, state]);
  return (
    <Panel title="Sessions" count={all === undefined ? undefined : shown.length} flush
      actions={(
        <>
          <SearchBox parameter="q" label="Filter by client, subject, topic or address" />
          <div className="segments" role="group" aria-label="State">
            <button type="button" aria-pressed={state === null} onClick={() => setState(null)}>all</button>
            {STATES.map((known) => (
              <button key={known} type="button" aria-pressed={state === known} onClick={() => setState(known)}>{known}</button>
            ))}
          </div>
        </>
      )}>
      <Loaded query={query} rows={5}>
        {(page) => {
          if (page.items.length === 0) return <Empty title="No session" />;
          if (shown.length === 0) return <Empty title="No session matches the filters" />;
          return (
            <>
              <SessionTable sessions={shown} />
              {page.next_cursor !== null && <p className="muted panel-foot">The first {page.items.length} sessions are shown.</p>}
            </>
          );
        }}
      </Loaded>
    </Panel>
  );
}

function SessionTable({ sessions }: { readonly sessions: ClientSession[] }): ReactNode {
  const hello = useConnection().hello;
  const may_disconnect = hello?.role === 'admin' || hello?.role === 'operator';
  const own_id = hello?.client_id ?? null;
  const columns = useMemo(() => sessionColumns(own_id, may_disconnect), [own_id, may_disconnect]);
  const [sorting, onSortingChange] = useSortParameter('-since');
  const table = useReactTable({
    data: sessions,
    columns,
    state: { sorting },
    onSortingChange,
    enableSortingRemoval: false,
    autoResetPageIndex: false,
    getRowId: (session) => session.client_id,
    getCoreRowModel: getCoreRowModel(),
    getSortedRowModel: getSortedRowModel(),
  });
  return <DataTable table={table} caption="Sessions" min_width={1190} />;
}

/** Sessions that have every word of `text` somewhere and, when asked for, the state. */
export function filterSessions(sessions: readonly ClientSession[], text: string, state: string | null): ClientSession[] {
  const words = text.toLowerCase().split(/\s+/).filter((word) => word !== '');
  return sessions.filter((session) => {
    if (state !== null && session.state !== state) return false;
    const haystack = [session.client_id, session.subject, session.role, session.remote_address ?? '', ...session.topics, ...session.rooms]
      .join(' ').toLowerCase();
    return words.every((word) => haystack.includes(word));
  });
}
