import { expect, it } from 'vitest';
import { parseFrame } from '../wire/envelope';
import { CHARS_BOUND, FrameLog, FRAMES_BOUND } from './frameLog';

function harness(): { log: FrameLog; incoming: (raw: string) => void; outgoing: (id: string, raw?: string) => void; pass: (ms: number) => void } {
  let now_ms = 1_000;
  const log = new FrameLog(() => now_ms);
  return {
    log,
    incoming: (raw) => log.record({ direction: 'in', raw, frame: parseFrame(raw) }),
    outgoing: (id, raw = JSON.stringify({ type: 'publish', id, payload: { topic: 'events' } })) =>
      log.record({ direction: 'out', raw, outgoing: { id, type: 'publish', raw, at_ms: now_ms } }),
    pass: (ms) => void (now_ms += ms),
  };
}

it('puts the latency on a request and its reply', () => {
  const { log, incoming, outgoing, pass } = harness();
  outgoing('a');
  outgoing('b');
  pass(12);
  incoming('{"type":"published","id":"h","metadata":{"reply_to":"a","topic":"events"}}');
  expect(log.list().map((entry) => [entry.type, entry.topic, entry.latency_ms])).toEqual([
    ['publish', 'events', 12], ['publish', 'events', null], ['published', 'events', 12],
  ]);
});

it('counts messages of a batch and says what cannot be read', () => {
  const { log, incoming } = harness();
  incoming('{"type":"batch","metadata":{"topic":"events","count":3},"payload":{"items":[]}}');
  incoming('{"type":"message","metadata":{"topic":"events","offset":3}}');
  incoming('{"type":"subscribed","payload":{"topics":[{"topic":"a"},{"topic":"b"}]}}');
  incoming('nonsense');
  expect(log.list().map((entry) => [entry.type, entry.topic, entry.messages])).toEqual([
    ['batch', 'events', 3], ['message', 'events', 1], ['subscribed', 'a, b', null], ['unreadable', null, null],
  ]);
});

it('keeps the newest frames, bounded by number and by size', () => {
  const { log, incoming } = harness();
  for (let index = 0; index < FRAMES_BOUND + 5; index += 1) incoming('{"type":"pong"}');
  expect(log.list()).toHaveLength(FRAMES_BOUND);
  expect(log.list()[0]?.seq).toBe(6);
  expect(log.counts.in).toBe(FRAMES_BOUND + 5);
  incoming('x'.repeat(CHARS_BOUND - 20));
  expect(log.list().length).toBeLessThanOrEqual(2);
  expect(log.list().at(-1)?.type).toBe('unreadable');
});
