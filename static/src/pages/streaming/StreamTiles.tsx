import type { ReactNode } from 'react';
import type { Performance } from '../../api/delivery';
import { countsText } from '../../format/counts';
import { bytes, count, percent, perSecond } from '../../format/numbers';
import { HUB, useHubSeries } from '../../state/useHubSeries';
import { Tiles } from '../../ui/Tiles';
import { batchSize } from './batches';

/** What goes through the hub, in six figures. */
export function StreamTiles({ performance }: { readonly performance: Performance | null }): ReactNode {
  const delivery = performance?.delivery;
  const bandwidth = performance?.bandwidth;
  const queued = performance?.queues.outboxes;
  useHubSeries(performance?.timestamp, {
    published_per_s: delivery?.messages_per_second, delivered_per_s: delivery?.deliveries_per_second,
    batch_size: batchSize(delivery), saved_percent: bandwidth?.saved_percent, conflated: delivery?.conflated, dropped: delivery?.dropped_total,
  });
  const of_hub = { node: HUB, has_history: false };
  return (
    <Tiles label="Delivery" tiles={[
      { ...of_hub, label: 'Published/s', value: perSecond(delivery?.messages_per_second), detail: `${count(delivery?.published)} in all`, series: 'published_per_s' },
      { ...of_hub, label: 'Delivered/s', value: perSecond(delivery?.deliveries_per_second), detail: `to ${count(queued?.connections)} connections`, series: 'delivered_per_s' },
      { ...of_hub, label: 'Messages per batch', value: perSecond(batchSize(delivery)), detail: `${count(delivery?.batches)} batches`, series: 'batch_size' },
      { ...of_hub, label: 'Bandwidth saved', value: percent(bandwidth?.saved_percent), detail: `${bytes(bandwidth?.saved_bytes)}, ${bytes(bandwidth?.bytes_out)} sent`, series: 'saved_percent', max: 100 },
      { ...of_hub, label: 'Conflated', value: count(delivery?.conflated), detail: 'replaced by a newer value', series: 'conflated' },
      { ...of_hub, label: 'Dropped', value: count(delivery?.dropped_total), detail: countsText(delivery?.dropped, 'nothing was dropped'), series: 'dropped' },
    ]} />
  );
}
