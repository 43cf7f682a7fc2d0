/**
 * - `connecting`: a socket is being opened
 * - `syncing`: open, the hub has not confirmed every subscription yet
 * - `live`: open and subscribed
 * - `degraded`: live, but a subsystem of the hub is not well
 * - `draining`: the hub is about to close
 * - `offline`: no socket; `retry_at_ms` says when the next attempt starts
 * - `stopped`: no socket and no further attempt by itself
 */
export type Phase = 'connecting' | 'syncing' | 'live' | 'degraded' | 'draining' | 'offline' | 'stopped';

/** What `connected` says about the hub and this client. */
export interface Hello {
  readonly client_id: string;
  readonly subject: string;
  readonly role: string;
  readonly hub_version: string;
  readonly hub_node: string;
}

/** Everything a view may show about the connection. Times are the browser's clock, in Unix milliseconds. */
export interface ConnectionState {
  readonly phase: Phase;
  readonly since_ms: number;
  readonly reason: string | null;
  readonly retry_at_ms: number | null;
  readonly attempt: number;
  readonly reconnects: number;
  readonly hello: Hello | null;
  readonly degraded_subsystems: readonly string[];
  readonly queued: number;
  readonly dropped: number;
  readonly round_trip_ms: number | null;
  /** Hub clock minus browser clock. */
  readonly clock_skew_ms: number;
  /** When the last frame of the hub arrived. */
  readonly last_frame_at_ms: number | null;
}

export function initialConnectionState(now_ms: number): ConnectionState {
  return {
    phase: 'connecting',
    since_ms: now_ms,
    reason: null,
    retry_at_ms: null,
    attempt: 0,
    reconnects: 0,
    hello: null,
    degraded_subsystems: [],
    queued: 0,
    dropped: 0,
    round_trip_ms: null,
    clock_skew_ms: 0,
    last_frame_at_ms: null,
  };
}

/** True while frames can be sent and data is current. */
export function isFlowing(phase: Phase): boolean {
  return phase === 'live' || phase === 'degraded' || phase === 'draining' || phase === 'syncing';
}
