import { type ReactNode } from 'react';
import { Link, useParams } from 'react-router';
import { ApiError } from '../../api/problem';
import { useNode } from '../../api/queries';
import type { FleetNodeDetail } from '../../api/types';
import { bytes } from '../../format/numbers';
import { dateAndClock, duration } from '../../format/times';
import { useConnection, useFleetFeed, useServices, useTopic } from '../../state/context';
import { Age } from '../../ui/Age';
import { Empty, Loaded, Panel } from '../../ui/Panel';
import { Status } from '../../ui/Status';
import { Labels } from './Labels';
import { Synthetic } from './Synthetic';
import { useLiveNode, type LiveNode } from './liveNode';
import { NodeCharts } from './NodeCharts';
import './nodes.css';

export default function NodePage(): ReactNode {
  const { id = '' } = useParams();
  const { fleet } = useServices();
  useFleetFeed();
  useTopic(`metrics:${id}`, fleet.onSamples);
  const query = useNode(id);
  if (query.error instanceof ApiError && query.error.status === 404) {
    return <Empty title={`There is no node named ${id}`}><Link to="/nodes">All nodes</Link></Empty>;
  }
  return (
    <Loaded query={query} rows={8}>
      {(node) => <Detail key={node.id} node={node} read_at_ms={query.dataUpdatedAt} />}
    </Loaded>
  );
}

function Detail({ node, read_at_ms }: { readonly node: FleetNodeDetail; readonly read_at_ms: number }): ReactNode {
  const live = useLiveNode(node, read_at_ms);
  const is_hub = useConnection().hello?.hub_node === node.id;
  return (
    <>
      <div className="node-head" data-node={live.id} data-state={live.state}>
        <Link to="/nodes">All nodes</Link>
        <Status word={live.state} />
        {is_hub && <span className="tag">hub</span>}
        {live.synthetic && <Synthetic />}
        <span className="muted">heard <Age at={live.last_seen_ms} suffix=" ago" /></span>
        <Link to={`/alerts?label=${encodeURIComponent(`node=${live.id}`)}`}>Alerts</Link>
        <span className="muted">up {duration(live.metrics.uptime_s)}</span>
        <Labels labels={live.labels} />
      </div>
      <NodeCharts node={live} />
      <div className="two-columns">
        <Panel title="Inventory"><InventoryFacts node={live} /></Panel>
        <Panel title="Transitions" count={node.transitions.length} flush><Transitions node={node} /></Panel>
      </div>
    </>
  );
}

function InventoryFacts({ node }: { readonly node: LiveNode }): ReactNode {
  const { inventory } = node;
  if (inventory === null) return <Empty title="The node has not sent its inventory" />;
  const rows: [string, string | undefined][] = [
    ['Host name', inventory.hostname],
    ['System', inventory.os],
    ['Kernel', inventory.kernel],
    ['Architecture', inventory.arch],
    ['Processor', inventory.cpu_model],
    ['Cores', inventory.cpu_cores?.toString()],
    ['Memory', bytes(inventory.memory_bytes)],
    ['Processes', node.metrics.process_count?.toString()],
    ['Agent version', inventory.agent_version],
    ['Source', node.source],
  ];
  return (
    <dl className="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value === undefined || value === '' ? '–' : value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Transitions({ node }: { readonly node: FleetNodeDetail }): ReactNode {
  if (node.transitions.length === 0) return <Empty title="No transition yet" />;
  return (
    // A box that scrolls has to be reachable by keyboard.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className="table-box" tabIndex={0} role="region" aria-label="Transitions, newest first">
      <table className="data fitted">
        <caption className="visually-hidden">Transitions, newest first</caption>
        <thead><tr><th scope="col">When</th><th scope="col">From</th><th scope="col">To</th><th scope="col">Reason</th></tr></thead>
        <tbody>
          {[...node.transitions].sort((left, right) => right.at.localeCompare(left.at)).slice(0, 50).map((transition) => (
            <tr key={`${transition.at}${transition.to}`}>
              <td className="nowrap">{dateAndClock(transition.at)}</td>
              <td>{transition.from === null ? '–' : <Status word={transition.from} />}</td>
              <td><Status word={transition.to} /></td>
              <td>{transition.reason ?? '–'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
