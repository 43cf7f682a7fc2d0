import { createColumnHelper } from '@tanstack/react-table';
import type { StoredRun } from '../../api/testing';
import { count, decimal, perSecond, percent, UNKNOWN } from '../../format/numbers';
import { Age } from '../../ui/Age';
import { Status } from '../../ui/Status';
import { latency, wrongMessages } from './format';

const column = createColumnHelper<StoredRun>();
const NUMBER = { meta: { className: 'number' }, sortDescFirst: true } as const;
const known = (value: number | null | undefined): number => value ?? -1;

export interface Picking {
  readonly a: string | null;
  readonly b: string | null;
  readonly pick: (id: string) => void;
  readonly open: (id: string) => void;
}

/** Columns of the history of runs. */
export function historyColumns({ a, b, pick, open }: Picking) {
  return [
    column.accessor('name', {
      header: 'Run', size: 176,
      cell: (cell) => <button type="button" className="link run-name" title={cell.getValue()} onClick={() => open(cell.row.original.id)}>{cell.getValue()}</button>,
    }),
    column.display({
      id: 'compare', header: 'Compare', size: 74,
      cell: ({ row: { original: { id, name, status } } }) => {
        const mark = id === a ? 'A' : id === b ? 'B' : null;
        return (
          <label className="pick">
            <input type="checkbox" checked={mark !== null} disabled={status === 'running'} aria-label={`Compare ${name}`} onChange={() => pick(id)} />
            <span aria-hidden="true">{mark}</span>
          </label>
        );
      },
    }),
    column.accessor('status', { header: 'Status', size: 108, cell: (cell) => <Status word={cell.getValue()} /> }),
    column.accessor((run) => known(run.success_rate), { ...NUMBER, id: 'success', header: 'Success', size: 84, cell: ({ row: { original: run } }) => percent(run.success_rate) }),
    column.accessor((run) => known(wrongMessages(run)), {
      ...NUMBER, id: 'wrong', size: 78, header: () => <abbr title="Messages lost, duplicated or reordered">Wrong</abbr>,
      cell: ({ row: { original: run } }) => <span className={(wrongMessages(run) ?? 0) > 0 ? 'tone-bad' : undefined} title={wrongText(run)}>{count(wrongMessages(run))}</span>,
    }),
    column.accessor('scenario', { header: 'Scenario', size: 88, cell: (cell) => cell.getValue().replaceAll('_', ' ') }),
    column.accessor((run) => known(run.connections?.planned), {
      ...NUMBER, id: 'connections', size: 76, header: () => <abbr title="Planned connections">Conn.</abbr>, cell: ({ row: { original: run } }) => count(run.connections?.planned),
    }),
    column.accessor((run) => known(run.messages?.delivered), { ...NUMBER, id: 'delivered', header: 'Delivered', size: 96, cell: ({ row: { original: run } }) => count(run.messages?.delivered) }),
    column.accessor((run) => known(run.latency?.p50_ms), { ...NUMBER, id: 'p50', header: 'p50', size: 76, cell: ({ row: { original: run } }) => latency(run.latency?.p50_ms) }),
    column.accessor((run) => known(run.latency?.p99_ms), { ...NUMBER, id: 'p99', header: 'p99', size: 76, cell: ({ row: { original: run } }) => latency(run.latency?.p99_ms) }),
    column.accessor((run) => known(run.deliveries_per_s), { ...NUMBER, id: 'rate', header: 'Deliveries/s', size: 104, cell: ({ row: { original: run } }) => perSecond(run.deliveries_per_s) }),
    column.accessor((run) => known(run.duration_s), {
      ...NUMBER, id: 'duration', header: 'Took', size: 72, cell: ({ row: { original: run } }) => (typeof run.duration_s === 'number' ? `${decimal(run.duration_s, 1)} s` : UNKNOWN),
    }),
    column.accessor('started_at', { ...NUMBER, header: 'Ago', size: 92, cell: (cell) => <Age at={cell.getValue()} /> }),
  ];
}

function wrongText({ messages }: StoredRun): string | undefined {
  return messages ? `${count(messages.lost)} lost, ${count(messages.duplicated)} duplicated, ${count(messages.reordered)} reordered` : undefined;
}
