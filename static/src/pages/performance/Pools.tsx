import type { ReactNode } from 'react';
import type { Performance } from '../../api/delivery';
import { bytes, count, UNKNOWN } from '../../format/numbers';
import { milliseconds } from '../../format/times';
import { Facts } from '../../ui/Facts';
import { Meter } from '../../ui/Meter';
import { ScrollBox } from '../../ui/ScrollBox';

/** Workers, the store, and what is on its way between them. */
export function Pools({ figures: { pools, queues } }: { readonly figures: Performance }): ReactNode {
  const share = (part: number, bound: number): number | null => (bound === 0 ? null : (100 * part) / bound);
  return (
    <div className="pools">
      {pools.workers.map(({ worker, outlet_depth, outlet_depth_max, lag_ms }) => (
        <Meter key={worker} label={`worker ${worker}`} show_label value={share(outlet_depth, outlet_depth_max)}
          note={`${count(outlet_depth)} of ${count(outlet_depth_max)} deliveries wait, event loop ${milliseconds(lag_ms)} late`} />
      ))}
      <Meter label="in flight" show_label value={share(queues.in_flight.messages, queues.in_flight.messages_max)}
        note={`${count(queues.in_flight.messages)} of ${count(queues.in_flight.messages_max)} messages`} />
      <Meter label="store" show_label value={share(pools.store.queue_requests, pools.store.queue_requests_max)}
        note={`${count(pools.store.queue_requests)} of ${count(pools.store.queue_requests_max)} requests, ${bytes(pools.store.queue_bytes)}`} />
      <Facts rows={[
        ['Writer of the store', pools.store.writer_running ? 'running' : <span key="writer" className="tone-bad">not running</span>],
        ['Commits', count(pools.store.commits)],
        ['Requests refused', count(pools.store.requests_refused)],
        ['Requests failed', count(pools.store.requests_failed)],
      ]} />
    </div>
  );
}

/** Every kind of mailbox; those that hold something first. */
export function Mailboxes({ figures: { pools } }: { readonly figures: Performance }): ReactNode {
  const rows = [...pools.mailboxes].sort((left, right) => right.depth - left.depth || left.kind.localeCompare(right.kind));
  return (
    <ScrollBox label="Mailboxes">
      <table className="data fitted">
        <caption className="visually-hidden">Mailboxes</caption>
        <thead>
          <tr>
            <th scope="col">Kind</th><th scope="col" className="number">Instances</th><th scope="col" className="number">Waiting</th>
            <th scope="col" className="number">Bound</th><th scope="col" className="number">Refused</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.kind}>
              <td className="mono">{row.kind}</td>
              <td className="number">{count(row.instances)}</td>
              <td className="number">{row.depth > 0 ? <strong>{count(row.depth)}</strong> : count(row.depth)}</td>
              <td className="number">{row.depth_max === null ? UNKNOWN : count(row.depth_max)}</td>
              <td className="number"><span className={row.refused > 0 ? 'tone-warn' : undefined}>{count(row.refused)}</span></td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollBox>
  );
}
