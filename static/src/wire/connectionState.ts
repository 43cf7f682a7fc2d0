import type { Fallback } from './longPoll';
import type { Outgoing } from './sender';
import type { Flow } from './pacer';
import type { RecoveryReport } from './recovery';

/**
 * - `connecting`: a socket is being opened
 * - `syncing`: open; subscriptions are not confirmed yet, or what was missed is still coming
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
  /** Whether the hub still had the session of this client. */
  readonly resumed: boolean;
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
  /** What waits to be sent, oldest first. */
  readonly waiting: readonly Outgoing[];
  /** What had to give way in that queue. */
  readonly dropped: number;
  /** Messages of this client's offline queue that the hub had to drop. */
  readonly dropped_by_hub: number;
  /** What the hub asks of publishers; `null` while it asks nothing. */
  readonly flow: Flow | null;
  /** Long polls while there is no socket; `null` with one, and in the first moments without. */
  readonly fallback: Fallback | null;
  /** How the last reconnect went. */
  readonly recovery: RecoveryReport | null;
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
    waiting: [],
    dropped: 0,
    dropped_by_hub: 0,
    flow: null,
    fallback: null,
    recovery: null,
    round_trip_ms: null,
    clock_skew_ms: 0,
    last_frame_at_ms: null,
  };
}

/** True while frames can be sent and data is current. */
export function isFlowing(phase: Phase): boolean {
  return phase === 'live' || phase === 'degraded' || phase === 'draining' || phase === 'syncing';
}

/** True while values come in, by socket or by polling. */
export function isReceiving(state: ConnectionState): boolean {
  return isFlowing(state.phase) || (state.fallback !== null && state.fallback.answers > 0 && state.fallback.failure === null);
}
