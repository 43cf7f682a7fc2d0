/** Shapes of the endpoints of the Reliability Lab: load-test runs and fault scenarios. */

/** Percentiles of a latency; `null` where nothing was measured. */
export interface RunLatency {
  readonly p50_ms: number | null;
  readonly p95_ms: number | null;
  readonly p99_ms: number | null;
  readonly p999_ms: number | null;
  readonly max_ms: number | null;
}

/** Deliveries above the bucket before and up to `le_ms`. */
export interface Bucket {
  readonly le_ms: number;
  readonly count: number;
}

export type RunStatus = 'running' | 'completed' | 'failed' | 'cancelled';

export interface PhaseResult {
  readonly name: string;
  readonly kind: string;
  readonly duration_s: number;
  readonly published: number;
  readonly delivered: number;
  readonly lost: number;
  readonly deliveries_per_s: number;
  readonly latency: RunLatency | null;
}

export interface Threshold {
  readonly name: string;
  readonly limit: number;
  readonly measured: number | null;
  readonly held: boolean;
}

export interface Reconnects {
  readonly attempted: number;
  readonly succeeded: number;
  /** Percent. */
  readonly success_rate: number | null;
  readonly recovered: number;
  readonly gaps: number;
  readonly duplicates: number;
  readonly back_p50_ms: number | null;
  readonly back_p99_ms: number | null;
}

/** A run as the hub keeps it. While it runs, and in lists, some parts are not there. */
export interface StoredRun {
  readonly id: string;
  readonly name: string;
  readonly scenario: string;
  readonly status: RunStatus;
  readonly started_at: string;
  readonly ended_at: string | null;
  readonly started_by: string | null;
  /** Percent of the planned connections that stayed and got every message due to them, once, in order. */
  readonly success_rate?: number | null;
  readonly connections?: { readonly planned: number; readonly connected: number; readonly failed: number; readonly lost: number } | null;
  readonly messages?: {
    readonly published: number; readonly expected: number; readonly delivered: number; readonly lost: number; readonly duplicated: number;
    readonly reordered: number; readonly refused?: number;
  } | null;
  readonly latency?: RunLatency | null;
  readonly deliveries_per_s?: number | null;
  readonly bytes_in?: number | null;
  readonly duration_s?: number | null;
  readonly server_cpu_s_per_million?: number | null;
  readonly phases?: readonly PhaseResult[] | null;
  readonly thresholds?: readonly Threshold[] | null;
  readonly histogram?: readonly Bucket[] | null;
  readonly reconnects?: Reconnects | null;
  readonly failure?: string | null;
}

/** From the least to the most that may be asked for. */
export interface Bound {
  readonly min: number;
  readonly max: number;
}

/** What this hub takes of a load test. */
export interface RunLimits {
  readonly connections: Bound;
  readonly duration_s: Bound;
  readonly rate_hz: Bound;
  readonly payload_bytes: Bound;
  readonly reconnects: Bound;
  readonly scenarios: readonly {
    readonly name: string;
    readonly connections_max: number;
    /** Why it is refused whatever its numbers. */
    readonly refusal: string | null;
  }[];
}

export interface FaultParameter {
  readonly name: string;
  readonly unit: string | null;
  readonly kind: 'number' | 'text';
  readonly default: number | string | null;
  readonly min?: number | null;
  readonly max?: number | null;
  readonly allowed?: readonly string[] | null;
  /** What a text has to begin with. */
  readonly prefix?: string | null;
}

export interface FaultScenario {
  readonly name: string;
  readonly title: string;
  readonly what: string;
  readonly subsystem: string;
  readonly parameters: readonly FaultParameter[];
  readonly duration_s_max: number;
  /** It can be enabled again so long after its last start. */
  readonly again_after_s?: number;
  readonly guard: string;
  readonly metric: string;
  readonly promise: string;
}

export interface FaultScenarios {
  /** Whether the hub was started with `--lab`. */
  readonly enabled: boolean;
  readonly items: readonly FaultScenario[];
}

export interface Fault {
  readonly id: string;
  readonly name: string;
  readonly parameters: Readonly<Record<string, number | string>>;
  readonly started_at: string;
  readonly ends_at: string;
  readonly started_by: string | null;
  /** The metric that shows the fault, before it began and at present. */
  readonly observed: { readonly metric: string; readonly before: number | null; readonly now: number | null } | null;
}

export interface FaultStatus {
  readonly enabled: boolean;
  readonly active: readonly Fault[];
  readonly recent: readonly (Fault & { readonly ended_at?: string | null; readonly ended_by?: string | null })[];
}
