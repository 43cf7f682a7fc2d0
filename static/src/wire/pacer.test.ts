import { expect, it } from 'vitest';
import { FLOW_HOLDS_MS, Pacer } from './pacer';

it('holds publishing, and nothing else, to the rate of the hub', () => {
  const pacer = new Pacer();
  expect(pacer.wait('publish', 0)).toBe(0);
  pacer.apply({ max_rate_hz: 4, paused_until_ms: 0, reason: '', at_ms: 0 });
  expect(pacer.wait('publish', 0)).toBeLessThanOrEqual(0);
  pacer.sent('publish', 0);
  expect([pacer.wait('publish', 0), pacer.wait('room_message', 100), pacer.wait('publish', 250), pacer.wait('subscribe', 0)]).toEqual([250, 150, 0, 0]);
});

it('waits out a pause, and forgets a rate that is not repeated', () => {
  const pacer = new Pacer();
  pacer.apply({ max_rate_hz: 0.001, paused_until_ms: 2_000, reason: '', at_ms: 0 });
  pacer.sent('publish', 0);
  expect(pacer.wait('publish', 500)).toBe(999_500);
  expect(pacer.wait('publish', FLOW_HOLDS_MS)).toBe(0);
  pacer.apply({ max_rate_hz: null, paused_until_ms: 2_000, reason: '', at_ms: 0 });
  expect(pacer.wait('publish', 500)).toBe(1_500);
  pacer.apply(null);
  expect(pacer.wait('publish', 500)).toBe(0);
});
