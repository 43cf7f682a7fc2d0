/** Shapes of the endpoints about delivery: topics, performance, breakers, alerts, shared state, offline queues. */

export type Priority = 'critical' | 'normal' | 'low';
export const PRIORITIES: readonly Priority[] = ['critical', 'normal', 'low'];

export interface Topic {
  readonly topic: string;
  readonly class: 'latest' | 'log';
  readonly priority: Priority;
  readonly kept: 'memory' | 'store';
  readonly hub_owned: boolean;
  readonly subscribers: number | null;
  readonly epoch: string | null;
  readonly offset: number | null;
  readonly messages_per_s: number | null;
  readonly bytes_per_s: number | null;
  readonly history: { readonly messages: number; readonly bytes: number } | null;
  readonly last_message_at: string | null;
}

export type BreakerState = 'closed' | 'half_open' | 'open';

export interface Breaker {
  readonly subsystem: string;
  readonly state: BreakerState;
  readonly forced: boolean;
  readonly since: string;
  readonly reason: string;
  readonly retry_after_ms: number | null;
  readonly guards: string;
  readonly while_open: 'refuse' | 'queue' | 'spill';
  readonly while_open_detail: string;
  readonly window: { readonly span_ms: number; readonly calls: number; readonly failures: number };
  readonly opened: number;
  readonly refused: number;
  readonly held: {
    readonly items: number; readonly bytes: number | null; readonly items_max: number | null; readonly bytes_max: number | null;
    readonly overflowed: number;
  } | null;
}

export interface Depth {
  readonly messages: number;
  readonly bytes: number;
}

export interface Percentiles {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly p99_9: number;
  readonly max: number;
}

export type Counts = Readonly<Record<string, number>>;

export interface Performance {
  readonly timestamp: string;
  readonly uptime_s: number;
  readonly queues: {
    readonly outboxes: {
      readonly connections: number;
      readonly waiting_connections: number;
      readonly bytes: number;
      readonly by_priority: Readonly<Record<Priority, Depth>>;
      readonly control: Depth;
    };
    readonly topics: { readonly by_priority: Readonly<Record<Priority, number>>; readonly pending: number };
    readonly in_flight: { readonly messages: number; readonly messages_max: number };
  };
  readonly memory: { readonly resident_bytes: number; readonly available_bytes: number; readonly total_bytes: number } | null;
  readonly pools: {
    readonly workers: {
      readonly worker: number; readonly outlet_depth: number; readonly outlet_depth_max: number; readonly lag_ms: number | null;
    }[];
    readonly store: {
      readonly queue_requests: number; readonly queue_requests_max: number; readonly queue_bytes: number; readonly commits: number;
      readonly requests_refused: number; readonly requests_failed: number; readonly writer_running: boolean;
    };
    readonly mailboxes: {
      readonly kind: string; readonly instances: number; readonly depth: number; readonly depth_max: number | null; readonly refused: number;
    }[];
  };
  readonly breakers: Breaker[];
  readonly delivery: {
    readonly published: number; readonly delivered: number; readonly messages_per_second: number; readonly deliveries_per_second: number;
    readonly dropped: Counts; readonly dropped_total: number; readonly conflated: number; readonly batches: number; readonly batched_messages?: number | null;
  };
  readonly bandwidth: {
    readonly bytes_in: number; readonly bytes_out: number; readonly saved_bytes: number | null; readonly saved_by: Counts; readonly saved_percent: number | null;
  };
  readonly latency: { readonly window_s: number; readonly unit: string; readonly by_priority: Readonly<Record<Priority, Percentiles | null>> };
}

export interface PerformanceStats {
  readonly connections: {
    readonly active: number; readonly peak: number; readonly opened: number; readonly closed: Counts; readonly reconnects: number;
  };
  readonly subscriptions: number;
  readonly frames_in: number;
  readonly http: { readonly requests: Counts; readonly problems: Counts };
}

export type Severity = 'critical' | 'error' | 'warning' | 'info';
export const SEVERITIES: readonly Severity[] = ['critical', 'error', 'warning', 'info'];

export interface Alert {
  readonly id: string;
  readonly severity: Severity;
  readonly state: string;
  readonly title: string;
  readonly message: string;
  readonly service: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly created_at: string;
}

export interface AlertMessage {
  readonly topic: string;
  readonly offset: number | null;
  readonly id: string;
  readonly timestamp: string;
  readonly payload: {
    readonly alert: Alert;
    readonly transition: { readonly from: string | null; readonly to: string; readonly actor: string | null; readonly reason: string | null } | null;
  };
}

export interface Conflicts {
  readonly total: number;
  readonly won: number;
  readonly lost: number;
}

export interface SyncDocSummary {
  readonly doc: string;
  readonly topic: string;
  readonly version: number;
  readonly keys: number;
  readonly bytes: number;
  readonly conflicts: Conflicts;
  readonly updated_at: string | null;
}

export interface SyncEntry {
  readonly key: string;
  readonly value: unknown;
  readonly version: number;
  readonly timestamp: string;
  readonly writer: string;
}

export interface SyncDoc extends SyncDocSummary {
  readonly entries: SyncEntry[];
  readonly next_cursor: string | null;
}

export interface Burst {
  readonly burst_id: string;
  readonly nodes: string[];
  readonly samples: number;
  readonly interval_ms: number;
  readonly duration_s: number;
  readonly ends_at: string;
}

export interface PublishedEvent {
  readonly id: string;
  readonly topic: string;
  readonly epoch: string;
  readonly offset: number;
  readonly queued: boolean;
}

/** What the hub keeps for a client until it is acknowledged. */
export interface OfflineQueue {
  readonly client_id: string;
  readonly queued: number | null;
  readonly acked_offset: number | null;
  readonly dropped: number | null;
  readonly messages: {
    readonly id: string; readonly topic?: string; readonly offset: number | null; readonly timestamp: string; readonly payload: unknown;
  }[];
}
