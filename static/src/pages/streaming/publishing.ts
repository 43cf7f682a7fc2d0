import type { Json, JsonObject } from '../../wire/envelope';

/** What is in the fields of the publish box. */
export interface PublishForm {
  readonly topic: string;
  readonly data: string;
  /** Empty: as the topic says. */
  readonly priority: string;
  readonly key: string;
}

export interface PublishErrors {
  readonly topic?: string;
  readonly data?: string;
  readonly key?: string;
}

export const TOPIC_CHARS_MAX = 128;
const TOPIC = /^[A-Za-z0-9_.:-]+$/;

/** The payload of a `publish` frame, or what is wrong with the fields. */
export function publishPayload(form: PublishForm): { readonly payload: JsonObject } | { readonly errors: PublishErrors } {
  const errors: { topic?: string; data?: string; key?: string } = {};
  const topic = form.topic.trim();
  if (topic === '') errors.topic = 'A topic has a name';
  else if (topic.length > TOPIC_CHARS_MAX) errors.topic = `At most ${TOPIC_CHARS_MAX} characters, not ${topic.length}`;
  else if (!TOPIC.test(topic)) errors.topic = 'Letters, digits and . _ : - only';
  let data: Json = null;
  try {
    data = JSON.parse(form.data) as Json;
  } catch (error) {
    errors.data = form.data.trim() === '' ? 'JSON is needed; null is JSON too' : `Not JSON: ${error instanceof Error ? error.message : 'it cannot be read'}`;
  }
  if (errors.topic !== undefined || errors.data !== undefined) return { errors };
  const key = form.key.trim();
  return { payload: { topic, data, ...(form.priority === '' ? {} : { priority: form.priority }), ...(key === '' ? {} : { key }) } };
}
