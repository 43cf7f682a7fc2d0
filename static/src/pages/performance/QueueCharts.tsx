import type { ReactNode } from 'react';
import { PRIORITIES } from '../../api/delivery';
import { LiveChart } from '../../charts/LiveChart';
import { bytes, count, plain } from '../../format/numbers';
import { HUB } from '../../state/useHubSeries';
import { useRange } from '../../state/view';

/** What waits on its way to sockets. */
export function QueueChart(): ReactNode {
  const [range] = useRange();
  return (
    <section className="panel" aria-label="Waiting messages">
      <LiveChart title="Waiting messages" unit="messages" format={count} axis={plain} range_ms={range.ms} height={180} soft_max={10}
        requests={PRIORITIES.map((priority) => ({ node: HUB, series: `waiting_${priority}`, label: priority, has_history: false }))} />
    </section>
  );
}

const MEMORY = [{ node: HUB, series: 'resident_bytes', label: 'resident', has_history: false }, { node: HUB, series: 'outbox_bytes', label: 'outboxes', has_history: false }];

/** What the hub's process takes. */
export function MemoryChart(): ReactNode {
  const [range] = useRange();
  return (
    <section className="panel" aria-label="Memory of the hub">
      <LiveChart title="Memory of the hub" unit="bytes" format={bytes} range_ms={range.ms} height={180} soft_max={1024 * 1024} requests={MEMORY} />
    </section>
  );
}
