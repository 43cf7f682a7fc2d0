import type { ReactNode } from 'react';
import { UNKNOWN } from '../../format/numbers';
import { clock, unixMs } from '../../format/times';
import { useFeed } from '../../state/useFeed';
import { useParameter } from '../../state/view';
import { Empty, Panel } from '../../ui/Panel';
import { ScrollBox } from '../../ui/ScrollBox';
import type { Message } from '../../wire/envelope';
import { useTopicHistory } from './useTopicHistory';

const SHOWN = 100;
const same = (message: Message): Message => message;

/** The messages of one topic as they arrive. */
export function TopicFeed({ topic }: { readonly topic: string }): ReactNode {
  const live = useFeed([topic], same, SHOWN);
  const history = useTopicHistory(topic, SHOWN);
  const [, choose] = useParameter('topic');
  // Both begin at about the same time: what they share is shown once, as it came live.
  const seen = new Set(live.map((message) => message.id));
  const messages = [...live, ...history.messages.filter((message) => !seen.has(message.id))].slice(0, SHOWN);
  return (
    <Panel title={`Messages of ${topic}`} count={messages.length} flush
      actions={<button type="button" className="small" onClick={() => choose(null)}>Close</button>}>
      {history.state === 'failed' && <p className="stale tone-warn" role="status">Earlier messages could not be read: {history.failure}</p>}
      {messages.length === 0
        ? <Empty title={history.state === 'loading' ? 'Reading the history' : 'No message yet'}><p>What is published to {topic} from now on appears here.</p></Empty>
        : (
          <ScrollBox label="Messages of the topic">
            <table className="data fitted" data-feed={topic}>
              <caption className="visually-hidden">Messages of {topic}, newest first</caption>
              <thead>
                <tr><th scope="col">Time</th><th scope="col" className="number">Offset</th><th scope="col">Key</th><th scope="col">Priority</th><th scope="col">Payload</th></tr>
              </thead>
              <tbody>
                {messages.map((message) => (
                  <tr key={message.id === '' ? `${message.epoch ?? ''} ${message.offset ?? ''}` : message.id}>
                    <td>{timeOf(message.timestamp)}</td>
                    <td className="number">{message.offset ?? UNKNOWN}</td>
                    <td className="mono">{message.key ?? UNKNOWN}</td>
                    <td><span className={`priority-${message.priority ?? 'normal'}`}>{message.priority ?? UNKNOWN}</span></td>
                    <td className="payload"><code>{JSON.stringify(message.payload)}</code></td>
                  </tr>
                ))}
              </tbody>
            </table>
          </ScrollBox>
        )}
    </Panel>
  );
}

export function timeOf(timestamp: string): string {
  const at_ms = unixMs(timestamp);
  return at_ms === null ? UNKNOWN : clock(at_ms);
}
