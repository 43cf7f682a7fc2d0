import { useEffect, type ReactNode } from 'react';
import type { Overview } from '../../api/types';
import { bytesPerSecond, count, decimal, ofTotal, perSecond, percent, UNKNOWN } from '../../format/numbers';
import { unixMs } from '../../format/times';
import { useConnection, useLiveSnapshot, useServices } from '../../state/context';
import { Tiles, type Tile } from '../../ui/Tiles';

/** Series made of the overview's figures live under this name: no node can have it, a node name has no space. */
const OVERVIEW = 'hub overview';
const NO_NODE = 'no node';

/** Eight figures with their recent course: this host, then the hub. */
export function KpiRow({ overview }: { readonly overview: Overview | null }): ReactNode {
  const hello = useConnection().hello;
  const node = hello?.hub_node ?? overview?.hub.node ?? NO_NODE;
  const metrics = useLiveSnapshot(node)?.metrics ?? {};
  useOverviewSeries(overview);
  const kpis: readonly Omit<Tile, 'has_history'>[] = [
    { label: 'CPU', value: percent(metrics.cpu_percent), detail: `load ${decimal(metrics.load1)}`, node, series: 'cpu_percent', max: 100 },
    {
      label: 'Memory', value: percent(metrics.memory_percent), detail: ofTotal(metrics.memory_used_bytes, metrics.memory_total_bytes),
      node, series: 'memory_percent', max: 100,
    },
    {
      label: 'Disk', value: percent(metrics.disk_percent), detail: ofTotal(metrics.disk_used_bytes, metrics.disk_total_bytes),
      node, series: 'disk_percent', max: 100,
    },
    {
      label: 'Network in', value: bytesPerSecond(metrics.network_rx_bytes_per_s), detail: `out ${bytesPerSecond(metrics.network_tx_bytes_per_s)}`,
      node, series: 'network_rx_bytes_per_s',
    },
    {
      label: 'Nodes online', value: overview === null ? UNKNOWN : `${overview.nodes.online} / ${overview.nodes.total}`,
      detail: overview === null ? UNKNOWN : `${overview.nodes.late} late, ${overview.nodes.offline} offline`, node: OVERVIEW, series: 'nodes_online',
    },
    {
      label: 'Connections', value: count(overview?.connections.active), detail: `peak ${count(overview?.connections.peak)}`,
      node: OVERVIEW, series: 'connections',
    },
    {
      label: 'Messages/s', value: perSecond(overview?.messages_per_second), detail: `${perSecond(overview?.deliveries_per_second)} deliveries/s`,
      node: OVERVIEW, series: 'messages_per_second',
    },
    { label: 'Samples/s', value: perSecond(overview?.samples_per_second), detail: `${count(overview?.topics)} topics`, node: OVERVIEW, series: 'samples_per_second' },
  ];
  const tiles = kpis.map((kpi) => ({ ...kpi, has_history: kpi.node !== OVERVIEW && kpi.node !== NO_NODE }));
  return <Tiles label="This host and the hub" tiles={tiles} first_of_hub={4} />;
}

/** The hub keeps no history of its own figures: their course begins when the page is opened. */
function useOverviewSeries(overview: Overview | null): void {
  const { series } = useServices();
  useEffect(() => {
    const at_ms = unixMs(overview?.timestamp);
    if (overview === null || at_ms === null) return;
    series.ingest(OVERVIEW, 'nodes_online', at_ms, overview.nodes.online);
    series.ingest(OVERVIEW, 'connections', at_ms, overview.connections.active);
    series.ingest(OVERVIEW, 'messages_per_second', at_ms, overview.messages_per_second);
    series.ingest(OVERVIEW, 'samples_per_second', at_ms, overview.samples_per_second);
    series.notify();
  }, [series, overview]);
}
