import type { ReactNode } from 'react';
import type { Performance } from '../../api/delivery';
import { bytes, count, ofTotal, perSecond, UNKNOWN } from '../../format/numbers';
import { milliseconds } from '../../format/times';
import { HUB } from '../../state/useHubSeries';
import { Tiles } from '../../ui/Tiles';
import { seriesOf } from './series';

export function PerformanceTiles({ figures }: { readonly figures: Performance | null }): ReactNode {
  const of_hub = { node: HUB, has_history: false };
  const { critical = null, normal = null } = figures?.latency.by_priority ?? {};
  const series = figures === null ? {} : seriesOf(figures);
  const outboxes = figures?.queues.outboxes;
  const not_closed = figures?.breakers.filter((breaker) => breaker.state !== 'closed') ?? [];
  return (
    <Tiles label="The hub" tiles={[
      { ...of_hub, label: 'Critical p99', value: milliseconds(critical?.p99), detail: critical === null ? 'none delivered lately' : `${count(critical.count)} in ${figures?.latency.window_s ?? 0} s`, series: 'latency_critical_p99' },
      { ...of_hub, label: 'Normal p99', value: milliseconds(normal?.p99), detail: normal === null ? 'none delivered lately' : `${count(normal.count)} in ${figures?.latency.window_s ?? 0} s`, series: 'latency_normal_p99' },
      { ...of_hub, label: 'Delivered/s', value: perSecond(figures?.delivery.deliveries_per_second), detail: `${count(figures?.delivery.delivered)} in all`, series: 'delivered_per_s' },
      { ...of_hub, label: 'Waiting', value: count(series.waiting), detail: outboxes === undefined ? UNKNOWN : `${bytes(outboxes.bytes)} for ${count(outboxes.waiting_connections)} of ${count(outboxes.connections)}`, series: 'waiting' },
      { ...of_hub, label: 'Memory', value: bytes(figures?.memory?.resident_bytes), detail: `host ${ofTotal(figures?.memory?.available_bytes, figures?.memory?.total_bytes)} free`, series: 'resident_bytes' },
      { ...of_hub, label: 'Refused', value: count(series.refused), detail: figures === null ? UNKNOWN : not_closed.length === 0 ? 'every breaker is closed' : `not closed: ${not_closed.map((breaker) => breaker.subsystem).join(', ')}`, series: 'refused' },
    ]} />
  );
}
