import { expect, it } from 'vitest';
import { publishPayload, TOPIC_CHARS_MAX } from './publishing';

const form = { topic: 'events', data: '{"a":1}', priority: '', key: '' };

it('leaves out what the topic decides', () => {
  expect(publishPayload(form)).toEqual({ payload: { topic: 'events', data: { a: 1 } } });
  expect(publishPayload({ ...form, data: 'null', priority: 'critical', key: ' k ' })).toEqual({ payload: { topic: 'events', data: null, priority: 'critical', key: 'k' } });
});

it.each([
  [{ topic: '' }, 'topic'], [{ topic: 'a b' }, 'topic'], [{ topic: 'x'.repeat(TOPIC_CHARS_MAX + 1) }, 'topic'], [{ data: '' }, 'data'], [{ data: '{' }, 'data'],
])('says what is wrong with %o', (change, field) => {
  expect(publishPayload({ ...form, ...change })).toMatchObject({ errors: { [field]: expect.any(String) as string } });
});
