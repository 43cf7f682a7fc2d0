/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** One frame of the native protocol, version 1, as the hub sends it. */
export interface Frame {
  readonly type: string;
  readonly id: string;
  readonly timestamp: string;
  readonly payload: Json;
  readonly metadata: JsonObject;
}

/** What the console sends. */
export interface Request {
  readonly type: string;
  readonly id: string;
  readonly payload: JsonObject;
}

/** One published message, whether it came alone, in a batch or over HTTP. */
export interface Message {
  readonly id: string;
  readonly topic: string;
  readonly epoch: string | null;
  readonly offset: number | null;
  readonly key: string | null;
  readonly priority: string | null;
  /** What its publisher calls it. */
  readonly event_type: string | null;
  readonly correlation_id: string | null;
  readonly timestamp: string;
  readonly payload: Json;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function text(value: Json | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

export function number(value: Json | undefined): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/** Reads one text frame; `null` when it is not an envelope. */
export function parseFrame(raw: string): Frame | null {
  let value: Json;
  try {
    value = JSON.parse(raw) as Json;
  } catch {
    return null;
  }
  return isObject(value) ? frameOf(value) : null;
}

/** The frame that `value` says it is; `null` without a type. */
export function frameOf(value: JsonObject): Frame | null {
  if (typeof value.type !== 'string') return null;
  return {
    type: value.type,
    id: text(value.id) ?? '',
    timestamp: text(value.timestamp) ?? '',
    payload: value.payload ?? {},
    metadata: isObject(value.metadata) ? value.metadata : {},
  };
}

/** Frames that carry one message of a topic. */
const MESSAGE_TYPES: ReadonlySet<string> = new Set(['message', 'room_message', 'sync_update']);

/** The messages of a frame in order; empty when it carries none. */
export function messagesOf(frame: Frame): Message[] {
  const topic = text(frame.metadata.topic);
  if (topic === null) return [];
  if (MESSAGE_TYPES.has(frame.type)) {
    return [messageOf({ ...frame.metadata, id: frame.id, timestamp: frame.timestamp, payload: frame.payload }, topic, frame.metadata)];
  }
  if (frame.type !== 'batch' || !isObject(frame.payload) || !Array.isArray(frame.payload.items)) return [];
  return frame.payload.items.filter(isObject).map((item) => messageOf(item, topic, { timestamp: frame.timestamp, ...frame.metadata }));
}

/** A message from its own fields; what it shares with the others around it is said once for all of them, in `shared`. */
export function messageOf(item: JsonObject, topic: string, shared: JsonObject): Message {
  return {
    id: text(item.id) ?? '',
    topic,
    epoch: text(item.epoch) ?? text(shared.epoch),
    offset: number(item.offset),
    key: text(item.key),
    priority: text(item.priority) ?? text(shared.priority),
    event_type: text(item.type),
    correlation_id: text(item.correlation_id),
    timestamp: text(item.timestamp) ?? text(shared.timestamp) ?? '',
    payload: item.payload ?? null,
  };
}
