import type { Performance } from '../../api/delivery';

/** Messages in an average batch; `null` before the first. */
export function batchSize(delivery: Performance['delivery'] | undefined): number | null {
  return delivery === undefined || delivery.batches === 0 ? null : delivery.batched_messages / delivery.batches;
}
