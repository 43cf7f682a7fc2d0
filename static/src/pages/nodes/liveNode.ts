import type { FleetNode, Inventory, Metrics, NodeState } from '../../api/types';
import { unixMs } from '../../format/times';
import { useLiveSnapshot, useNodeNews } from '../../state/context';
import type { LiveSnapshot, NodeNews } from '../../state/fleetStore';

/** A node as it is known now: what was read over REST with what the socket said since. */
export interface LiveNode {
  readonly id: string;
  readonly state: NodeState;
  readonly source: FleetNode['source'];
  /** When the node was last heard, hub clock. */
  readonly last_seen_ms: number | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly synthetic: boolean;
  readonly inventory: Inventory | null;
  readonly metrics: Metrics;
}

const NO_METRICS: Metrics = {};

/** `read_at_ms`: when `node` was read, browser clock. */
export function mergeNode(node: FleetNode, read_at_ms: number, live: LiveSnapshot | null, news: NodeNews | null): LiveNode {
  const fresh = news !== null && news.received_at_ms > read_at_ms ? news : null;
  const last_seen_ms = unixMs(node.last_seen);
  const live_is_newer = live !== null && live.at_ms >= (last_seen_ms ?? -Infinity);
  return {
    id: node.id,
    source: node.source,
    state: fresh?.state ?? node.state,
    last_seen_ms: live_is_newer ? live.at_ms : last_seen_ms,
    labels: fresh?.labels ?? node.labels,
    synthetic: node.synthetic === true,
    inventory: fresh?.inventory ?? node.inventory,
    metrics: (live_is_newer ? live.metrics : node.metrics) ?? NO_METRICS,
  };
}

export function useLiveNode(node: FleetNode, read_at_ms: number): LiveNode {
  return mergeNode(node, read_at_ms, useLiveSnapshot(node.id), useNodeNews(node.id));
}
