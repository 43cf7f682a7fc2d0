import { describe, expect, it } from 'vitest';
import type { Json, Message } from '../wire/envelope';
import { LabStore } from './labStore';
import { afterMessage, RATES_MAX, type LiveRun } from './runProgress';

const RUN = { id: 'run-1', name: 'evening', scenario: 'paced', status: 'running' };

function progress(elapsed_s: number, change: Record<string, Json> = {}): Json {
  return {
    run: RUN,
    progress: { type: 'progress', phase: 'steady', elapsed_s, connected: 25, published: 10, delivered: 250, lost: 0, deliveries_per_s: 250, latency: { p50_ms: 4 }, histogram: [{ le_ms: 5, count: 250 }], ...change },
  };
}

function after(...payloads: Json[]): LiveRun | null {
  return payloads.reduce<LiveRun | null>(afterMessage, null);
}

describe('a run that is followed', () => {
  it('shows the newest figures, their course and its phases', () => {
    const live = after(progress(0.5, { phase: 'ramp_up', deliveries_per_s: 0 }), progress(1, { phase: 'ramp_up' }), progress(1.5), progress(2, { lost: 3 }));
    expect(live).toMatchObject({ id: 'run-1', status: 'running', progress: { elapsed_s: 2, lost: 3, latency: { p50_ms: 4, p99_ms: null } } });
    expect(live?.rates.map(([at_s]) => at_s)).toEqual([0.5, 1, 1.5, 2]);
    expect(live?.phases).toEqual([{ name: 'ramp_up', from_s: 0, to_s: 1 }, { name: 'steady', from_s: 1, to_s: 2 }]);
  });

  it('takes nothing from a message that is older than the newest one', () => {
    expect(after(progress(2), progress(1.5, { delivered: 1 }))?.progress).toMatchObject({ elapsed_s: 2, delivered: 250 });
  });

  it('ends with its last figures, and stays ended', () => {
    const live = after(progress(1), { run: { ...RUN, status: 'failed' } }, progress(2));
    expect(live).toMatchObject({ status: 'failed', progress: { elapsed_s: 1 } });
  });

  it('gives way to the next run', () => {
    const live = after(progress(9), { run: { ...RUN, id: 'run-2' }, progress: { elapsed_s: 0.5, phase: 'ramp_up' } });
    expect(live).toMatchObject({ id: 'run-2', rates: [], progress: { delivered: null } });
  });

  it('is left alone by messages about other things, and by what cannot be read', () => {
    const live = after(progress(1));
    for (const payload of [null, 'text', { fault: { id: 'f' } }, { run: 'x' }, { run: {} }] as Json[]) expect(afterMessage(live, payload)).toBe(live);
  });

  it('keeps its course within bounds, the newest point included', () => {
    const live = after(...Array.from({ length: 3 * RATES_MAX }, (_, index) => progress(index / 2)));
    expect(live?.rates.length).toBeLessThanOrEqual(RATES_MAX);
    expect(live?.rates.at(-1)?.[0]).toBe((3 * RATES_MAX - 1) / 2);
    expect(live?.rates[0]?.[0]).toBe(0);
  });
});

describe('the store', () => {
  const message = (payload: Json): Message => ({
    id: '', topic: 'testing', epoch: null, offset: null, key: null, priority: null, event_type: null, correlation_id: null, timestamp: '', payload,
  });

  it('has stored runs read again when one begins and ends, faults when one is told of, and stands still while paused', () => {
    const calls: string[] = [];
    const store = new LabStore(() => calls.push('runs'), () => calls.push('faults'), (publish) => publish());
    store.onMessage(message(progress(1)));
    store.onMessage(message(progress(2)));
    expect(calls).toEqual(['runs']);
    expect(store.run()?.progress?.elapsed_s).toBe(2);
    store.setPaused(true);
    store.onMessage(message({ run: { ...RUN, status: 'completed' } }));
    expect(store.run()?.status).toBe('running');
    store.setPaused(false);
    expect(store.run()?.status).toBe('completed');
    store.onMessage(message({ fault: { id: 'f', state: 'active' } }));
    expect(calls).toEqual(['runs', 'runs', 'faults']);
  });
});
