import { describe, expect, it } from 'vitest';
import type { Message } from './envelope';
import { Positions } from './positions';

function message(topic: string, offset: number | null, key: string | null = null, epoch: string | null = 'e1'): Message {
  return { id: '', topic, epoch, offset, key, priority: null, event_type: null, correlation_id: null, timestamp: '', payload: null };
}

describe('a log topic', () => {
  it('counts offsets that were skipped as gaps, and drops what comes twice', () => {
    const positions = new Positions();
    positions.restart('events', { epoch: 'e1', offset: 4 }, 'log', false);
    expect([5, 6, 6, 5, 9].map((offset) => positions.accept(message('events', offset)))).toEqual([true, true, false, false, true]);
    expect(positions.tally('events')).toMatchObject({ received: 3, duplicates: 2, gaps: 2 });
    expect(positions.of('events')).toEqual({ epoch: 'e1', offset: 9 });
  });

  it.each(['before', 'after'])('has no gap where the hub said %s that it dropped', (when) => {
    const positions = new Positions();
    positions.restart('events', { epoch: 'e1', offset: 0 }, 'log', false);
    if (when === 'before') positions.lagged('events', 3, 0);
    positions.accept(message('events', 4));
    if (when === 'after') positions.lagged('events', 3, 0);
    expect(positions.tally('events')).toMatchObject({ gaps: 0, declared: 3 });
  });

  it('begins anew in a new epoch and says that what came between is not known', () => {
    const positions = new Positions();
    positions.accept(message('events', 7));
    expect(positions.accept(message('events', 1, null, 'e2'))).toBe(true);
    expect(positions.of('events')).toEqual({ epoch: 'e2', offset: 1 });
    expect(positions.tally('events')).toMatchObject({ gaps: 0, duplicates: 0, not_recovered: 1 });
  });
});

it('a latest topic has holes, and knows a duplicate by its key', () => {
  const positions = new Positions();
  positions.restart('metrics_update', { epoch: 'e1', offset: 10 }, 'latest', false);
  // The current values follow the subscription: their offsets are not above its own.
  const seen = [message('metrics_update', 9, 'a'), message('metrics_update', 10, 'b'), message('metrics_update', 40, 'a'), message('metrics_update', 40, 'a')];
  expect(seen.map((one) => positions.accept(one))).toEqual([true, true, true, false]);
  expect(positions.tally('metrics_update')).toMatchObject({ gaps: 0, duplicates: 1, received: 3 });
  expect(positions.of('metrics_update')?.offset).toBe(40);
});

it('messages without an offset are passed on, and a topic that was left begins anew with its counts kept', () => {
  const positions = new Positions();
  expect(positions.accept(message('x', null))).toBe(true);
  expect(positions.of('x')).toBeNull();
  positions.accept(message('x', 3));
  positions.forget('x');
  expect(positions.of('x')).toBeNull();
  positions.accept(message('x', 8));
  expect(positions.total()).toMatchObject({ received: 3, gaps: 0, not_recovered: 0 });
});
