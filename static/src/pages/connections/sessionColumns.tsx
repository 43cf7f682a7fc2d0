import { createColumnHelper } from '@tanstack/react-table';
import type { ReactNode } from 'react';
import type { ClientSession } from '../../api/types';
import { bytes, count, UNKNOWN } from '../../format/numbers';
import { Age } from '../../ui/Age';
import { Status } from '../../ui/Status';
import { Disconnect } from './Disconnect';

const column = createColumnHelper<ClientSession>();
const NUMBER = { meta: { className: 'number' }, sortDescFirst: true } as const;

/** Columns of the session table. `own_id` marks this browser's own session. */
export function sessionColumns(own_id: string | null, may_disconnect: boolean) {
  return [
    column.accessor('client_id', {
      header: 'Client',
      size: 222,
      cell: (cell) => (
        <span className="client-cell">
          <span className="mono" title={cell.getValue()}>{cell.getValue()}</span>
          {cell.getValue() === own_id && <span className="tag" title="This browser">you</span>}
        </span>
      ),
    }),
    column.accessor('state', { header: 'State', size: 126, cell: (cell) => <Status word={cell.getValue()} /> }),
    column.accessor('subject', {
      header: 'Subject', size: 140,
      cell: (cell) => <>{cell.getValue()} <span className="muted">{cell.row.original.role}</span></>,
    }),
    column.accessor('since', { ...NUMBER, header: 'For', size: 92, cell: (cell) => <Age at={cell.getValue()} /> }),
    column.accessor('remote_address', { header: 'Address', size: 110, cell: (cell) => cell.getValue() ?? UNKNOWN }),
    column.accessor((session) => session.topics.length + session.rooms.length, {
      id: 'topics', header: 'Topics', size: 106,
      cell: (cell) => <Names topics={cell.row.original.topics} rooms={cell.row.original.rooms} />,
    }),
    column.accessor('bytes_in', { ...NUMBER, header: 'In', size: 82, cell: (cell) => bytes(cell.getValue()) }),
    column.accessor('bytes_out', { ...NUMBER, header: 'Out', size: 82, cell: (cell) => bytes(cell.getValue()) }),
    column.accessor('outbox_bytes', { ...NUMBER, header: 'Outbox', size: 80, cell: (cell) => bytes(cell.getValue()) }),
    column.accessor('reconnects', { ...NUMBER, header: () => <abbr title="Reconnects">Rec.</abbr>, size: 64, cell: (cell) => count(cell.getValue()) }),
    ...(may_disconnect
      ? [column.display({
        id: 'actions', size: 108, header: () => <span className="visually-hidden">Actions</span>,
        cell: (cell) => cell.row.original.state === 'connected' && (
          <Disconnect session={cell.row.original} is_own={cell.row.original.client_id === own_id} />
        ),
      })]
      : []),
  ];
}

function Names({ topics, rooms }: { readonly topics: readonly string[]; readonly rooms: readonly string[] }): ReactNode {
  const names = [...topics, ...rooms.map((room) => `room ${room}`)];
  if (names.length === 0) return <span className="muted">none</span>;
  return <span className="names" title={names.join('\n')}>{names.join(', ')}</span>;
}
