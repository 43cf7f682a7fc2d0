import { useState, type ReactNode } from 'react';
import { useOfflineQueue } from '../../api/deliveryQueries';
import { count, UNKNOWN } from '../../format/numbers';
import { useConnection, useServices } from '../../state/context';
import { useNow } from '../../state/ticker';
import { useFeed } from '../../state/useFeed';
import { Age } from '../../ui/Age';
import { Facts } from '../../ui/Facts';
import { Empty, Loaded, Panel } from '../../ui/Panel';
import type { Message } from '../../wire/envelope';

const SHOWN = 20;
const same = (message: Message): Message => message;

/** What the hub keeps for a client until it is acknowledged, and what came to this one. */
export function OfflineQueues(): ReactNode {
  const { hello } = useConnection();
  const own_id = hello?.client_id ?? '';
  const [typed, setTyped] = useState('');
  const client_id = typed === '' ? own_id : typed;
  return (
    <Panel title="Offline queues" actions={(
      <input aria-label="Client" placeholder={own_id === '' ? 'Client' : `${own_id} (this browser)`} value={typed} spellCheck={false} className="queue-client"
        onChange={(event) => setTyped(event.target.value.trim())} />
    )}>
      {client_id === '' ? <Empty title="Not connected yet" /> : <Queue key={client_id} client_id={client_id} />}
      <h3 className="sub">Came to this browser</h3>
      {hello === null ? <Empty title="Not connected yet" /> : <Received client_id={hello.client_id} subject={hello.subject} />}
    </Panel>
  );
}

function Queue({ client_id }: { readonly client_id: string }): ReactNode {
  const query = useOfflineQueue(client_id);
  return (
    <Loaded query={query} rows={2}>
      {(queue) => (
        <>
          <Facts rows={[
            ['Waiting', <span key="waiting" data-queue={queue.queued}>{count(queue.queued)}</span>],
            ['Acknowledged up to', count(queue.acked_offset)],
            ['Dropped', <span key="dropped" className={(queue.dropped ?? 0) > 0 ? 'tone-warn' : undefined}>{count(queue.dropped)}</span>],
          ]} />
          {queue.messages.length > 0 && (
            <ol className="messages" aria-label={`Waiting for ${client_id}, oldest first`}>
              {queue.messages.map((message) => (
                <li key={`${message.topic ?? ''} ${message.offset ?? message.id}`}>
                  <span className="muted nowrap">{message.offset ?? UNKNOWN} · <Age at={message.timestamp} suffix=" ago" /></span>
                  <code>{JSON.stringify(message.payload)}</code>
                </li>
              ))}
            </ol>
          )}
        </>
      )}
    </Loaded>
  );
}

/** Personal messages, which the hub sends without being asked; what is shown was acknowledged. */
function Received({ client_id, subject }: { readonly client_id: string; readonly subject: string }): ReactNode {
  const { socket } = useServices();
  const { dropped_by_hub } = useConnection();
  useNow();
  const topics = [`client:${client_id}`, `user:${subject}`];
  const messages = useFeed(topics, same, SHOWN);
  const tally = topics.map((topic) => socket.tally(topic));
  const sum = (name: 'received' | 'duplicates'): number => tally.reduce((total, one) => total + one[name], 0);
  return (
    <>
      <Facts rows={[
        ['Received and acknowledged', count(sum('received'))],
        ['Came twice, dropped here', count(sum('duplicates'))],
        ['Dropped by the hub before', <span key="dropped" className={dropped_by_hub > 0 ? 'tone-warn' : undefined}>{count(dropped_by_hub)}</span>],
      ]} />
      {messages.length === 0
        ? <p className="muted">Nothing came since you opened this page. An event that is published with this client's id comes here.</p>
        : (
          <ol className="messages" aria-label="Received, newest first" data-feed="personal">
            {messages.map((message) => (
              <li key={`${message.topic} ${message.offset ?? message.id}`}>
                <span className="muted nowrap">{message.offset ?? UNKNOWN} · <Age at={message.timestamp} suffix=" ago" /></span>
                <code>{JSON.stringify(message.payload)}</code>
              </li>
            ))}
          </ol>
        )}
    </>
  );
}
