import { useSyncExternalStore, type ReactNode } from 'react';
import { useNodes } from '../../api/queries';
import type { FleetNode } from '../../api/types';
import { useFleetFeed, useServices } from '../../state/context';
import { useParameter } from '../../state/view';
import { Empty, Loaded, Panel } from '../../ui/Panel';
import { AddNode } from './AddNode';
import { NodeFilters } from './NodeFilters';
import { filterNodes, useNodeFilter } from './filter';
import { mergeNode, type LiveNode } from './liveNode';
import { NodeCard } from './NodeCard';
import { NodeTable } from './NodeTable';
import './nodes.css';

export default function Nodes(): ReactNode {
  useFleetFeed();
  const query = useNodes();
  return (
    <Loaded query={query} rows={8}>
      {(page) => <Fleet nodes={page.items} more={page.next_cursor !== null} read_at_ms={query.dataUpdatedAt} />}
    </Loaded>
  );
}

interface FleetProps {
  readonly nodes: readonly FleetNode[];
  readonly more: boolean;
  readonly read_at_ms: number;
}

function Fleet({ nodes, more, read_at_ms }: FleetProps): ReactNode {
  const live = useLiveFleet(nodes, read_at_ms);
  const filter = useNodeFilter();
  const [view] = useParameter('view');
  const shown = filterNodes(live, filter);
  const shown_ids = new Set(shown.map((node) => node.id));
  return (
    <>
      <NodeFilters nodes={live} filter={filter} />
      <Panel title="Fleet" count={shown.length} actions={<AddNode />} flush={view !== 'grid'}>
        {nodes.length === 0 && <Empty title="No node has reported yet" />}
        {nodes.length > 0 && shown.length === 0 && <Empty title="No node matches the filters" />}
        {shown.length > 0 && view !== 'grid' && <NodeTable nodes={shown} />}
        {/* On a narrow screen cards stand for the table. */}
        <div className={view === 'grid' ? 'node-grid' : 'node-grid narrow-only'}>
          {nodes.filter((node) => shown_ids.has(node.id)).map((node) => <NodeCard key={node.id} node={node} read_at_ms={read_at_ms} />)}
        </div>
        {more && <p className="muted">The first {nodes.length} nodes are shown.</p>}
      </Panel>
    </>
  );
}

/** All nodes with their live state; changes at most once per animation frame. */
function useLiveFleet(nodes: readonly FleetNode[], read_at_ms: number): readonly LiveNode[] {
  const { fleet } = useServices();
  useSyncExternalStore(fleet.watch, () => fleet.version);
  return nodes.map((node) => mergeNode(node, read_at_ms, fleet.snapshot(node.id), fleet.newsOf(node.id)));
}
