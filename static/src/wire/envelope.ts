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

/** One published message, whether it came alone or in a batch. */
export interface Message {
  readonly topic: string;
  readonly key: string | null;
  readonly offset: number | null;
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
  if (!isObject(value) || typeof value.type !== 'string') return null;
  return {
    type: value.type,
    id: text(value.id) ?? '',
    timestamp: text(value.timestamp) ?? '',
    payload: value.payload ?? {},
    metadata: isObject(value.metadata) ? value.metadata : {},
  };
}

/** The messages of a `message` or `batch` frame, in order; empty for every other type. */
export function messagesOf(frame: Frame): Message[] {
  const topic = text(frame.metadata.topic);
  if (topic === null) return [];
  if (frame.type === 'message') {
    return [{
      topic,
      key: text(frame.metadata.key),
      offset: number(frame.metadata.offset),
      timestamp: frame.timestamp,
      payload: frame.payload,
    }];
  }
  if (frame.type !== 'batch' || !isObject(frame.payload) || !Array.isArray(frame.payload.items)) return [];
  return frame.payload.items.filter(isObject).map((item) => ({
    topic,
    key: text(item.key),
    offset: number(item.offset),
    timestamp: text(item.timestamp) ?? frame.timestamp,
    payload: item.payload ?? null,
  }));
}
