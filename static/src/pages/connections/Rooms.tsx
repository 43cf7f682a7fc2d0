import * as Dialog from '@radix-ui/react-dialog';
import type { ReactNode } from 'react';
import { useRoom, useRoomHistory, useRooms } from '../../api/queries';
import { clock, unixMs } from '../../format/times';
import { UNKNOWN } from '../../format/numbers';
import { useParameter } from '../../state/view';
import { Age } from '../../ui/Age';
import { Empty, Loaded, Panel } from '../../ui/Panel';

/** Occupied rooms; one of them opens with its members and history (`?room=ops`). */
export function Rooms(): ReactNode {
  const query = useRooms();
  const [room, setRoom] = useParameter('room');
  return (
    <Panel title="Rooms" count={query.data?.items.length} flush>
      <Loaded query={query}>
        {(page) => (page.items.length === 0
          ? <Empty title="No room is occupied"><p>A room appears here when a client joins it.</p></Empty>
          : (
            <div className="room-list">
              <table className="data">
                <caption className="visually-hidden">Rooms</caption>
                <thead><tr><th scope="col">Room</th><th scope="col" className="number">Members</th><th scope="col" className="number">Occupied for</th></tr></thead>
                <tbody>
                  {page.items.map((item) => (
                    <tr key={item.room}>
                      <td><button type="button" className="link" onClick={() => setRoom(item.room)}>{item.room}</button></td>
                      <td className="number">{item.members}</td>
                      <td className="number"><Age at={item.occupied_since} /></td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          ))}
      </Loaded>
      <Dialog.Root open={room !== null} onOpenChange={(open) => setRoom(open ? room : null)}>
        <Dialog.Portal>
          <Dialog.Overlay className="overlay" />
          <Dialog.Content className="dialog broad" aria-describedby={undefined}>
            <Dialog.Title>Room {room}</Dialog.Title>
            <RoomDetail room={room} />
            <div className="dialog-actions"><Dialog.Close>Close</Dialog.Close></div>
          </Dialog.Content>
        </Dialog.Portal>
      </Dialog.Root>
    </Panel>
  );
}

function RoomDetail({ room }: { readonly room: string | null }): ReactNode {
  const detail = useRoom(room);
  const history = useRoomHistory(room);
  return (
    <div className="room-detail">
      <section aria-label="Members">
        <h3>Members</h3>
        <Loaded query={detail}>
          {(data) => (data.members.length === 0 ? <Empty title="Nobody is in this room" /> : (
            <ul className="members">
              {data.members.map((member) => (
                <li key={member.client_id}>
                  <strong>{member.subject}</strong>
                  <span className="mono muted">{member.client_id}</span>
                  <span className="muted"><Age at={member.since} /></span>
                </li>
              ))}
            </ul>
          ))}
        </Loaded>
      </section>
      <section aria-label="History">
        <h3>Last messages</h3>
        <Loaded query={history}>
          {(page) => (page.items.length === 0 ? <Empty title="No message yet" /> : (
            // A box that scrolls has to be reachable by keyboard.
            // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
            <ol className="messages" tabIndex={0} aria-label="Messages, oldest first">
              {page.items.map((message) => (
                <li key={message.id}>
                  <time className="muted">{timeOf(message.timestamp)}</time>
                  <code>{JSON.stringify(message.payload)}</code>
                </li>
              ))}
            </ol>
          ))}
        </Loaded>
      </section>
    </div>
  );
}

function timeOf(timestamp: string): string {
  const ms = unixMs(timestamp);
  return ms === null ? UNKNOWN : clock(ms);
}
