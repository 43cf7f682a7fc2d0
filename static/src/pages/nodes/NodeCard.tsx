import type { ReactNode } from 'react';
import { Link } from 'react-router';
import type { FleetNode } from '../../api/types';
import { bytesPerSecond, decimal } from '../../format/numbers';
import { useConnection } from '../../state/context';
import { Age } from '../../ui/Age';
import { Icon } from '../../ui/icons';
import { Meter } from '../../ui/Meter';
import { Status } from '../../ui/Status';
import { Labels } from './Labels';
import { Synthetic } from './Synthetic';
import { useLiveNode } from './liveNode';
import './nodes.css';

/** One node of the fleet: state, age, meters. */
export function NodeCard({ node, read_at_ms }: { readonly node: FleetNode; readonly read_at_ms: number }): ReactNode {
  const live = useLiveNode(node, read_at_ms);
  const is_hub = useConnection().hello?.hub_node === node.id;
  const { metrics } = live;
  return (
    <article className={`node-card state-${live.state}`} data-node={live.id} data-state={live.state}>
      <header>
        <Link to={`/nodes/${encodeURIComponent(live.id)}`} className="node-name">{live.id}</Link>
        {is_hub && <span className="tag">hub</span>}
        {live.synthetic && <Synthetic />}
        <Status word={live.state} />
        <span className="node-age" title="Since it was heard"><Age at={live.last_seen_ms} /></span>
      </header>
      <div className="node-meters">
        <Meter label="CPU" value={metrics.cpu_percent} show_label />
        <Meter label="Memory" value={metrics.memory_percent} show_label />
        <Meter label="Disk" value={metrics.disk_percent} show_label />
      </div>
      <footer>
        <span className="node-fact" title="Received"><Icon name="down" size={11} />{bytesPerSecond(metrics.network_rx_bytes_per_s)}</span>
        <span className="node-fact" title="Sent"><Icon name="up" size={11} />{bytesPerSecond(metrics.network_tx_bytes_per_s)}</span>
        <span className="node-fact">load {decimal(metrics.load1)}</span>
      </footer>
      <Labels labels={live.labels} />
    </article>
  );
}
