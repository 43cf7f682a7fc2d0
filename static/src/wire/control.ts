import { isObject, number, text, type Frame, type JsonObject } from './envelope';
import type { Hello } from './connectionState';
import { flowOf, type Flow } from './pacer';

/** Frames by which the hub speaks about itself. */
export type Control =
  | { kind: 'degraded'; subsystem: string }
  | { kind: 'recovered'; subsystem: string }
  | { kind: 'draining'; reconnect_after_ms: number }
  | { kind: 'lagged'; topic: string; dropped: number; conflated: number }
  | { kind: 'flow'; flow: Flow }
  | { kind: 'token_expiring' };

export function controlOf(frame: Frame): Control | null {
  const payload: JsonObject = isObject(frame.payload) ? frame.payload : {};
  switch (frame.type) {
    case 'degraded':
    case 'recovered':
      return { kind: frame.type, subsystem: text(payload.subsystem) ?? 'unknown' };
    case 'draining':
      return { kind: 'draining', reconnect_after_ms: Math.max(0, number(payload.reconnect_after_ms) ?? 0) };
    case 'lagged':
      return {
        kind: 'lagged', topic: text(payload.topic) ?? '', dropped: number(payload.dropped) ?? 0, conflated: number(payload.conflated) ?? 0,
      };
    case 'flow':
      return { kind: 'flow', flow: flowOf(frame, Date.now()) };
    case 'token_expiring':
      return { kind: 'token_expiring' };
    default:
      return null;
  }
}

export function helloOf(frame: Frame): Hello {
  const payload: JsonObject = isObject(frame.payload) ? frame.payload : {};
  const hub: JsonObject = isObject(payload.hub) ? payload.hub : {};
  return {
    client_id: text(payload.client_id) ?? '',
    subject: text(payload.subject) ?? '',
    role: text(payload.role) ?? '',
    hub_version: text(hub.version) ?? '',
    hub_node: text(hub.node) ?? '',
    resumed: payload.resumed === true,
  };
}

/** Hub clock minus browser clock in milliseconds, for a hub time read at browser time `at_ms`. */
export function skewOf(hub_time: string, at_ms: number): number | null {
  const hub_ms = Date.parse(hub_time);
  return Number.isNaN(hub_ms) ? null : hub_ms - at_ms;
}
