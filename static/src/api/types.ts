/** One page of a list. */
export interface Page<T> {
  readonly items: T[];
  readonly next_cursor: string | null;
}

export type Metrics = Readonly<Record<string, number | null | undefined>>;

export type NodeState = 'enrolling' | 'online' | 'late' | 'offline' | 'retired';

export interface Inventory {
  readonly hostname?: string;
  readonly os?: string;
  readonly kernel?: string;
  readonly arch?: string;
  readonly cpu_model?: string;
  readonly cpu_cores?: number;
  readonly memory_bytes?: number;
  readonly agent_version?: string;
}

export interface FleetNode {
  readonly id: string;
  readonly state: NodeState;
  readonly source: 'sampler' | 'agent';
  readonly last_seen: string | null;
  readonly age_ms: number | null;
  readonly interval_ms: number | null;
  readonly ttl_ms: number | null;
  readonly labels: Readonly<Record<string, string>>;
  /** Its samples are made up for a demonstration. */
  readonly synthetic?: boolean;
  readonly inventory: Inventory | null;
  readonly metrics: Metrics | null;
}

export interface Transition {
  readonly at: string;
  readonly from: NodeState | null;
  readonly to: NodeState;
  readonly reason: string | null;
}

export interface FleetNodeDetail extends FleetNode {
  readonly transitions: Transition[];
}

export interface History {
  readonly node: string;
  readonly metric: string;
  readonly resolution_ms: number;
  readonly points: [number, number | null][];
}

export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy';

export interface Overview {
  readonly timestamp: string;
  readonly hub: { version: string; node: string; started_at: string; uptime_s: number; workers: number; store: string };
  readonly health: HealthStatus;
  readonly nodes: { total: number; online: number; late: number; offline: number };
  readonly connections: { active: number; peak: number };
  readonly rooms: number;
  readonly topics: number;
  readonly messages_per_second: number;
  readonly deliveries_per_second: number;
  readonly samples_per_second: number;
  readonly supervision: { actors: number; restarts: number };
}

export interface HealthCheck {
  readonly status: HealthStatus;
  readonly detail: string | null;
  readonly duration_ms: number | null;
  readonly checked_at: string | null;
}

export interface Health {
  readonly status: HealthStatus;
  readonly service: string;
  readonly version: string;
  readonly checks: Readonly<Record<string, HealthCheck>>;
}

export interface SupervisedKind {
  readonly kind: string;
  readonly parent: string | null;
  readonly group: string | null;
  readonly policy: 'permanent' | 'transient' | 'never';
  readonly intensity_max: number;
  readonly intensity_window_ms: number;
  readonly backoff_min_ms: number;
  readonly backoff_max_ms: number;
  readonly placement: string;
  readonly queue_bound: number | null;
  readonly when_full: string | null;
  readonly instances: number;
  readonly restarts: number;
  readonly mailbox_depth: number | null;
  readonly state: 'running' | 'restarting' | 'failed' | 'idle';
  readonly last_failure: { at: string; instance: string; phase: string; reason: string } | null;
}

export interface OwnedUnit {
  readonly unit: string;
  readonly owned_here: boolean;
  readonly owner: string | null;
  readonly address: string | null;
  readonly since: string | null;
  readonly fence: number | null;
}

export interface Supervision {
  readonly actors: number;
  readonly restarts: number;
  readonly kinds: SupervisedKind[];
  readonly units: OwnedUnit[];
}

export interface ConnectionStats {
  readonly active_connections: number;
  readonly rooms: number;
  readonly topics: number;
  readonly messages_per_second: number;
  readonly deliveries_per_second: number;
  readonly reconnects: number;
  readonly by_encoding: Readonly<Record<string, number>>;
  readonly published_total: number;
  readonly delivered_total: number;
  readonly bytes_in_total: number;
  readonly bytes_out_total: number;
  readonly closes: Readonly<Record<string, number>>;
}

export interface ClientSession {
  readonly client_id: string;
  readonly subject: string;
  readonly role: string;
  readonly state: 'connected' | 'disconnected';
  readonly since: string;
  readonly remote_address: string | null;
  readonly encoding: string | null;
  readonly topics: string[];
  readonly rooms: string[];
  readonly outbox_bytes: number | null;
  readonly reconnects: number;
  readonly bytes_in: number | null;
  readonly bytes_out: number | null;
}

export interface RoomSummary {
  readonly room: string;
  readonly members: number;
  readonly occupied_since: string | null;
}

export interface Room {
  readonly room: string;
  readonly members: { client_id: string; subject: string; since: string; info: Record<string, unknown> | null }[];
  readonly topic: string;
  readonly epoch: string;
  readonly offset: number;
}

export interface RoomMessage {
  readonly id: string;
  readonly offset: number;
  readonly timestamp: string;
  readonly key: string | null;
  readonly payload: unknown;
}
