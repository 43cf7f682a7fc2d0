import type { ReactNode } from 'react';
import { count } from '../../format/numbers';
import { useServices } from '../../state/context';
import { useNow } from '../../state/ticker';
import { Empty, Panel } from '../../ui/Panel';
import { ScrollBox } from '../../ui/ScrollBox';

/** Where this page stands in each topic, and whether anything was missed or came twice. */
export function TopicPositions(): ReactNode {
  const { socket } = useServices();
  useNow();
  const topics = socket.knownTopics().sort();
  return (
    <Panel title="Topics of this page" count={topics.length} flush>
      {topics.length === 0 ? <Empty title="Nothing was subscribed yet" /> : (
        <ScrollBox label="Positions in topics" kind="table-box">
          <table className="data fitted">
            <caption className="visually-hidden">Positions in topics</caption>
            <thead>
              <tr>
                <th scope="col">Topic</th><th scope="col" className="number">Offset</th><th scope="col">Epoch</th><th scope="col" className="number">Received</th>
                <th scope="col" className="number">Gaps</th><th scope="col" className="number">Twice</th><th scope="col" className="number">Dropped</th>
                <th scope="col" className="number"><abbr title="Could not be recovered">Lost</abbr></th>
              </tr>
            </thead>
            <tbody>
              {topics.map((topic) => {
                const tally = socket.tally(topic);
                const position = socket.position(topic);
                return (
                  <tr key={topic} data-topic={topic}>
                    <td className="mono">{topic}</td>
                    <td className="number">{position === null ? <span className="muted">left</span> : count(position.offset)}</td>
                    <td className="mono epoch" title={position?.epoch}>{position?.epoch ?? ''}</td>
                    <td className="number">{count(tally.received)}</td>
                    <td className="number"><span className={tally.gaps > 0 ? 'tone-bad' : undefined}>{count(tally.gaps)}</span></td>
                    <td className="number">{count(tally.duplicates)}</td>
                    <td className="number">{count(tally.declared)}</td>
                    <td className="number"><span className={tally.not_recovered > 0 ? 'tone-warn' : undefined}>{count(tally.not_recovered)}</span></td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </ScrollBox>
      )}
    </Panel>
  );
}
