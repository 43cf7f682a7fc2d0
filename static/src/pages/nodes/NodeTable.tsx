import { createColumnHelper, getCoreRowModel, getSortedRowModel, useReactTable } from '@tanstack/react-table';
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { bytesPerSecond, decimal } from '../../format/numbers';
import { Age } from '../../ui/Age';
import { DataTable } from '../../ui/DataTable';
import { Meter } from '../../ui/Meter';
import { useSortParameter } from '../../ui/sortParameter';
import { Status } from '../../ui/Status';
import { NODE_STATES } from './filter';
import { Labels } from './Labels';
import type { LiveNode } from './liveNode';
import { Synthetic } from './Synthetic';

const column = createColumnHelper<LiveNode>();
const NUMBER = { meta: { className: 'number' }, sortDescFirst: true, sortUndefined: 'last' } as const;

/** TanStack sorts `undefined` to the end; `null` it would compare. */
const metric = (name: string) => (node: LiveNode): number | undefined => node.metrics[name] ?? undefined;

const columns = [
  column.accessor('id', {
    header: 'Node',
    size: 170,
    cell: (cell) => (
      <>
        <Link to={`/nodes/${encodeURIComponent(cell.getValue())}`} className="node-name">{cell.getValue()}</Link>
        {cell.row.original.synthetic && <> <Synthetic /></>}
      </>
    ),
  }),
  column.accessor((node) => NODE_STATES.indexOf(node.state), {
    id: 'state', header: 'State', size: 98, cell: (cell) => <Status word={cell.row.original.state} />,
  }),
  column.accessor(metric('cpu_percent'), { ...NUMBER, id: 'cpu', header: 'CPU', size: 130, cell: (cell) => <Meter label="CPU" value={cell.getValue()} /> }),
  column.accessor(metric('memory_percent'), { ...NUMBER, id: 'memory', header: 'Memory', size: 130, cell: (cell) => <Meter label="Memory" value={cell.getValue()} /> }),
  column.accessor(metric('disk_percent'), { ...NUMBER, id: 'disk', header: 'Disk', size: 130, cell: (cell) => <Meter label="Disk" value={cell.getValue()} /> }),
  column.accessor(metric('load1'), { ...NUMBER, id: 'load', header: 'Load', size: 66, cell: (cell) => decimal(cell.getValue()) }),
  column.accessor(metric('network_rx_bytes_per_s'), { ...NUMBER, id: 'in', header: 'In', size: 92, cell: (cell) => bytesPerSecond(cell.getValue()) }),
  column.accessor(metric('network_tx_bytes_per_s'), { ...NUMBER, id: 'out', header: 'Out', size: 92, cell: (cell) => bytesPerSecond(cell.getValue()) }),
  column.accessor((node) => (node.last_seen_ms === null ? undefined : -node.last_seen_ms), {
    ...NUMBER, id: 'age', header: 'Age', size: 78, cell: (cell) => <Age at={cell.row.original.last_seen_ms} />,
  }),
  column.accessor('source', { header: 'Source', size: 80 }),
  column.accessor((node) => Object.values(node.labels).join(' '), {
    id: 'labels', header: 'Labels', size: 160, enableSorting: false, cell: (cell) => <Labels labels={cell.row.original.labels} />,
  }),
];

export function NodeTable({ nodes }: { readonly nodes: LiveNode[] }): ReactNode {
  const [sorting, onSortingChange] = useSortParameter('id');
  const table = useReactTable({
    data: nodes,
    columns,
    state: { sorting },
    onSortingChange,
    enableSortingRemoval: false,
    autoResetPageIndex: false,
    getRowId: (node) => node.id,
    getCoreRowModel: getCoreRowModel(),
    getSortedRowModel: getSortedRowModel(),
  });
  return <div className="wide-only"><DataTable table={table} caption="Nodes" min_width={1080} /></div>;
}
