import { PRIORITIES, type Performance, type Priority } from '../../api/delivery';

/** Messages of one priority that wait anywhere on the way to sockets. */
export function waiting(figures: Performance, priority: Priority): number {
  return figures.queues.outboxes.by_priority[priority].messages + figures.queues.topics.by_priority[priority];
}

/** The figures of a snapshot that are drawn over time, by the name of their series. */
export function seriesOf(figures: Performance): Record<string, number | null> {
  const series: Record<string, number | null> = {
    delivered_per_s: figures.delivery.deliveries_per_second,
    published_per_s: figures.delivery.messages_per_second,
    in_flight: figures.queues.in_flight.messages,
    outbox_bytes: figures.queues.outboxes.bytes,
    resident_bytes: figures.memory?.resident_bytes ?? null,
    waiting: PRIORITIES.reduce((sum, priority) => sum + waiting(figures, priority), 0),
    refused: figures.breakers.reduce((sum, breaker) => sum + breaker.refused, 0),
  };
  for (const priority of PRIORITIES) {
    series[`waiting_${priority}`] = waiting(figures, priority);
    const latency = figures.latency.by_priority[priority];
    for (const name of PERCENTILES) series[`latency_${priority}_${name}`] = latency?.[name] ?? null;
  }
  return series;
}

export const PERCENTILES = ['p50', 'p95', 'p99'] as const;
