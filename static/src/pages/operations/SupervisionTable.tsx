import { createColumnHelper, getCoreRowModel, getExpandedRowModel, useReactTable, type ExpandedState } from '@tanstack/react-table';
import { useMemo, useState, type ReactNode } from 'react';
import type { SupervisedKind } from '../../api/types';
import { count, UNKNOWN } from '../../format/numbers';
import { milliseconds } from '../../format/times';
import { Age } from '../../ui/Age';
import { DataTable } from '../../ui/DataTable';
import { Icon } from '../../ui/icons';
import { Status } from '../../ui/Status';
import { supervisionTree, type KindRow } from './tree';

const column = createColumnHelper<KindRow>();
const NUMBER = { meta: { className: 'number' } } as const;

const columns = [
  column.accessor('kind', {
    header: 'Kind',
    size: 150,
    cell: (cell) => {
      const { row } = cell;
      return (
        <span className="tree-cell" style={{ paddingInlineStart: row.depth * 18 }}>
          {row.getCanExpand()
            ? (
              <button type="button" className={row.getIsExpanded() ? 'twisty open' : 'twisty'} aria-expanded={row.getIsExpanded()}
                aria-label={`Kinds under ${cell.getValue()}`} onClick={row.getToggleExpandedHandler()}>
                <Icon name="right" size={13} />
              </button>
            )
            : <span className="twisty" />}
          <span className="mono">{cell.getValue()}</span>
        </span>
      );
    },
  }),
  column.accessor('state', { header: 'State', size: 98, cell: (cell) => <Status word={cell.getValue()} /> }),
  column.accessor('instances', { ...NUMBER, header: 'Instances', size: 78, cell: (cell) => count(cell.getValue()) }),
  column.accessor('restarts', {
    ...NUMBER, header: 'Restarts', size: 72,
    cell: (cell) => <span className={cell.getValue() > 0 ? 'tone-warn' : undefined}>{count(cell.getValue())}</span>,
  }),
  column.accessor('policy', { header: 'Policy', size: 92 }),
  column.accessor('intensity_max', {
    header: 'Intensity', size: 98,
    cell: (cell) => `${cell.getValue()} in ${milliseconds(cell.row.original.intensity_window_ms)}`,
  }),
  column.accessor('backoff_min_ms', {
    header: 'Back-off', size: 112,
    cell: (cell) => `${milliseconds(cell.getValue())} to ${milliseconds(cell.row.original.backoff_max_ms)}`,
  }),
  column.accessor('placement', {
    header: 'Placement', size: 114, meta: { className: 'fine' }, cell: (cell) => <span title={cell.getValue()}>{cell.getValue()}</span>,
  }),
  column.accessor('queue_bound', {
    ...NUMBER, header: 'Queue', size: 98,
    cell: (cell) => <QueueDepth depth={cell.row.original.mailbox_depth} bound={cell.getValue()} />,
  }),
  column.accessor('when_full', {
    header: 'When full', size: 116, meta: { className: 'fine' },
    cell: (cell) => <span title={cell.getValue() ?? undefined}>{cell.getValue()?.replaceAll('_', ' ') ?? UNKNOWN}</span>,
  }),
  column.accessor('last_failure', { header: 'Last failure', size: 176, meta: { className: 'wrap' }, cell: (cell) => <LastFailure failure={cell.getValue()} /> }),
];

/** What waits in all mailboxes of the kind, and the bound of each. */
function QueueDepth({ depth, bound }: { readonly depth: number | null; readonly bound: number | null }): ReactNode {
  return <span title="Waiting in all mailboxes of this kind / bound of each mailbox"><strong>{count(depth)}</strong> / {count(bound)}</span>;
}

function LastFailure({ failure }: { readonly failure: SupervisedKind['last_failure'] }): ReactNode {
  if (failure === null) return <span className="muted">none</span>;
  return (
    <span className="failure-cell" title={`${failure.instance}: ${failure.reason}`}>
      <Age at={failure.at} suffix=" ago" /> in {failure.phase}: {failure.reason}
    </span>
  );
}

/** The supervision tree, in start order. */
export function SupervisionTable({ kinds }: { readonly kinds: readonly SupervisedKind[] }): ReactNode {
  const data = useMemo(() => supervisionTree(kinds), [kinds]);
  const [expanded, setExpanded] = useState<ExpandedState>(true);
  const table = useReactTable({
    data,
    columns,
    state: { expanded },
    onExpandedChange: setExpanded,
    getSubRows: (row) => row.children,
    getRowId: (row) => row.kind,
    enableSorting: false,
    getCoreRowModel: getCoreRowModel(),
    getExpandedRowModel: getExpandedRowModel(),
  });
  return <DataTable table={table} caption="Supervision tree" min_width={1206} rowClass={(row) => `state-${row.state}`} />;
}
