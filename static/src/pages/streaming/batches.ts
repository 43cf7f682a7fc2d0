import type { Performance } from '../../api/delivery';

/** Messages in an average batch; `null` before the first. */
export function batchSize(delivery: Performance['delivery'] | undefined): number | null {
  const { batches = 0, batched_messages = null } = delivery ?? {};
  return batched_messages === null || batches === 0 ? null : batched_messages / batches;
}
