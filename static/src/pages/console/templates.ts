import type { JsonObject } from '../../wire/envelope';

/** Frames to begin with; `id` and `timestamp` are left out: the console adds an id, the hub needs no time. */
export const TEMPLATES: readonly { readonly name: string; readonly frame: JsonObject }[] = [
  { name: 'ping', frame: { type: 'ping', payload: { t: 1 } } },
  { name: 'publish', frame: { type: 'publish', payload: { topic: 'events', data: { message: 'hello' }, priority: 'normal' } } },
  { name: 'history', frame: { type: 'history', payload: { topic: 'events', limit: 10 } } },
  { name: 'subscribe', frame: { type: 'subscribe', payload: { topics: [{ topic: 'metrics_update', max_rate_hz: 1, conflate: true }] } } },
  { name: 'unsubscribe', frame: { type: 'unsubscribe', payload: { topics: ['events'] } } },
  { name: 'join a room', frame: { type: 'join_room', payload: { room: 'ops', info: { name: 'console' } } } },
  { name: 'say in a room', frame: { type: 'room_message', payload: { room: 'ops', data: { text: 'hello' } } } },
  { name: 'presence', frame: { type: 'presence', payload: { room: 'ops' } } },
  { name: 'leave a room', frame: { type: 'leave_room', payload: { room: 'ops' } } },
  { name: 'sync_get', frame: { type: 'sync_get', payload: { doc: 'runbook' } } },
  { name: 'sync_put', frame: { type: 'sync_put', payload: { doc: 'runbook', key: 'owner', value: 'me', base_version: 0 } } },
];

export function templateText(frame: JsonObject): string {
  return JSON.stringify(frame, null, 2);
}

/** What is wrong with text that is to go out as a frame; `null` when nothing is. The hub decides, this only warns. */
export function frameWarning(written: string): string | null {
  let value: unknown;
  try {
    value = JSON.parse(written);
  } catch (error) {
    return `Not JSON: ${error instanceof Error ? error.message : 'it cannot be read'}`;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'A frame is a JSON object';
  const type = (value as { type?: unknown }).type;
  return typeof type === 'string' && type !== '' ? null : 'A frame has a type';
}
