import { isObject, number, text, type Frame, type JsonObject } from './envelope';

/** What the hub asks of publishers with a `flow` frame. Times are the browser's clock, in Unix milliseconds. */
export interface Flow {
  readonly max_rate_hz: number | null;
  readonly paused_until_ms: number;
  readonly reason: string;
  readonly at_ms: number;
}

/** A `flow` that is not repeated holds this long. */
export const FLOW_HOLDS_MS = 30_000;

/** Types of frames that publish. */
const PUBLISHING: ReadonlySet<string> = new Set(['publish', 'room_message']);

export function flowOf(frame: Frame, now_ms: number): Flow {
  const payload: JsonObject = isObject(frame.payload) ? frame.payload : {};
  const max_rate_hz = number(payload.max_rate_hz);
  return {
    max_rate_hz: max_rate_hz !== null && max_rate_hz > 0 ? max_rate_hz : null,
    paused_until_ms: now_ms + Math.max(0, number(payload.pause_ms) ?? 0),
    reason: text(payload.reason) ?? 'The hub asks publishers to slow down',
    at_ms: now_ms,
  };
}

/** Holds what this page publishes to the rate that the hub asks for. Pure: the caller says what time it is. */
export class Pacer {
  private flow: Flow | null = null;
  private last_ms = -Infinity;

  apply(flow: Flow | null): void {
    this.flow = flow;
  }

  /** How long a frame of this type has to wait; 0 when it may leave. */
  wait(type: string, now_ms: number): number {
    const { flow } = this;
    if (flow === null || !PUBLISHING.has(type)) return 0;
    const pause_ms = Math.max(0, flow.paused_until_ms - now_ms);
    if (now_ms - flow.at_ms >= FLOW_HOLDS_MS || flow.max_rate_hz === null) return pause_ms;
    return Math.max(pause_ms, this.last_ms + 1_000 / flow.max_rate_hz - now_ms);
  }

  sent(type: string, now_ms: number): void {
    if (PUBLISHING.has(type)) this.last_ms = now_ms;
  }
}
