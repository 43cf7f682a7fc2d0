import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { useNodes, useOverview } from '../../api/queries';
import type { FleetNode } from '../../api/types';
import { LiveChart } from '../../charts/LiveChart';
import type { SeriesRequest } from '../../charts/useSeries';
import { percent, wholePercent } from '../../format/numbers';
import { useFleetFeed } from '../../state/context';
import { useRange } from '../../state/view';
import { Empty, Loaded, Panel } from '../../ui/Panel';
import { NodeCard } from '../nodes/NodeCard';
import { ActiveAlerts } from './ActiveAlerts';
import './command.css';
import { HubPanel } from './HubPanel';
import { KpiRow } from './KpiRow';
import { LiveBurst } from './LiveBurst';

/** More lines than this cannot be told apart; the rest of the fleet is on the Nodes page. */
const CHART_NODES = 24;
const CARD_NODES = 60;

export function CommandCenter(): ReactNode {
  useFleetFeed();
  const overview = useOverview();
  const nodes = useNodes();
  return (
    <div className="command">
      <KpiRow overview={overview.data ?? null} />
      <div className="command-middle">
        <FleetChart nodes={nodes.data?.items ?? []} />
        <ActiveAlerts />
        <Panel title="Hub"><Loaded query={overview} rows={5}>{(data) => <HubPanel overview={data} />}</Loaded></Panel>
      </div>
      <Panel title="Fleet" count={nodes.data?.items.length} actions={<><LiveBurst /><Link to="/nodes">All nodes</Link></>}>
        <Loaded query={nodes} rows={4}>
          {(page) => (page.items.length === 0
            ? <Empty title="No node has reported yet"><p>The hub's own sampler is the first, within a second or two.</p></Empty>
            : (
              <div className="node-grid">
                {busiest(page.items, CARD_NODES).map((node) => <NodeCard key={node.id} node={node} read_at_ms={nodes.dataUpdatedAt} />)}
                {page.items.length === 1 && <AddNodeCard />}
              </div>
            ))}
        </Loaded>
      </Panel>
    </div>
  );
}

function FleetChart({ nodes }: { readonly nodes: readonly FleetNode[] }): ReactNode {
  const [range] = useRange();
  const shown = busiest(nodes.filter((node) => node.state !== 'retired'), CHART_NODES);
  const requests = shown.map((node): SeriesRequest => ({ node: node.id, series: 'cpu_percent', label: node.id, has_history: true }));
  const rest = nodes.length - shown.length;
  return (
    <section className="panel" aria-label="CPU of the fleet">
      <LiveChart title="CPU of the fleet" unit="percent" format={percent} axis={wholePercent} requests={requests} range_ms={range.ms} max={100} soft_max={10}
        height={236} aside={rest > 0 && <span className="muted">the {shown.length} busiest of {nodes.length} nodes</span>} />
    </section>
  );
}

/** The first `bound` by CPU, in the order of their names, so that lines and cards keep their places. */
function busiest(nodes: readonly FleetNode[], bound: number): FleetNode[] {
  const load = (node: FleetNode): number => node.metrics?.cpu_percent ?? -1;
  const kept = nodes.length <= bound ? [...nodes] : [...nodes].sort((left, right) => load(right) - load(left)).slice(0, bound);
  return kept.sort((left, right) => left.id.localeCompare(right.id));
}

function AddNodeCard(): ReactNode {
  return (
    <Link className="add-node-card" to="/nodes?add=1">
      <strong>Add a node</strong>
      <span>Copy one line to another machine and it appears here.</span>
    </Link>
  );
}
