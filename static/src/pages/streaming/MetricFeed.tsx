import type { ReactNode } from 'react';
import { bytesPerSecond, percent, UNKNOWN } from '../../format/numbers';
import { useFeed } from '../../state/useFeed';
import { Empty, Panel } from '../../ui/Panel';
import { ScrollBox } from '../../ui/ScrollBox';
import { isObject, number, text, type JsonObject, type Message } from '../../wire/envelope';
import { timeOf } from './TopicFeed';

const SHOWN = 40;
const TOPICS = ['metrics_update'];

interface Snapshot {
  readonly id: string;
  readonly node: string;
  readonly offset: number | null;
  readonly timestamp: string;
  readonly metrics: JsonObject;
}

function read(message: Message): Snapshot | null {
  if (!isObject(message.payload) || !isObject(message.payload.metrics)) return null;
  const node = text(message.payload.node);
  if (node === null) return null;
  return {
    id: message.id, node, offset: message.offset, timestamp: text(message.payload.timestamp) ?? message.timestamp, metrics: message.payload.metrics,
  };
}

/** Snapshots of nodes as they arrive. */
export function MetricFeed(): ReactNode {
  const snapshots = useFeed(TOPICS, read, SHOWN);
  return (
    <Panel title="Metric feed" actions={<span className="muted">the newest of metrics_update</span>} flush>
      {snapshots.length === 0
        ? <Empty title="No snapshot has arrived yet"><p>Each node sends one every few seconds.</p></Empty>
        : (
          <ScrollBox label="Snapshots">
            <table className="data fitted" data-feed="metrics">
              <caption className="visually-hidden">Snapshots, newest first</caption>
              <thead>
                <tr>
                  <th scope="col">Time</th><th scope="col">Node</th><th scope="col" className="number">CPU</th>
                  <th scope="col" className="number">Memory</th><th scope="col" className="number">Net in</th><th scope="col" className="number">Offset</th>
                </tr>
              </thead>
              <tbody>
                {snapshots.map(({ id, node, offset, timestamp, metrics }) => (
                  <tr key={`${id} ${offset ?? ''}`}>
                    <td>{timeOf(timestamp)}</td>
                    <td className="mono node-cell" title={node}>{node}</td>
                    <td className="number">{percent(number(metrics.cpu_percent))}</td>
                    <td className="number">{percent(number(metrics.memory_percent))}</td>
                    <td className="number">{bytesPerSecond(number(metrics.network_rx_bytes_per_s))}</td>
                    <td className="number">{offset ?? UNKNOWN}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </ScrollBox>
        )}
    </Panel>
  );
}
