import { describe, expect, it } from 'vitest';
import { messageOf, type Json, type JsonObject } from '../wire/envelope';
import { alertOf, AlertStore, LIVE_BOUND, transitionOf } from './alertStore';

const ALERT: JsonObject = {
  id: 'a', version: 1, state: 'firing', severity: 'critical', title: 'CPU', message: 'm', reason: 'value 91 > 80', labels: { node: 'web-1', odd: 3 },
  started_at: '2026-11-28T12:00:00Z', last_breach_at: '2026-11-28T12:01:00Z', count: 4, score: 70, value: 91,
};
const STEP: JsonObject = { at: '2026-11-28T12:00:00Z', from: 'pending', to: 'firing', actor: 'infrawatch', reason: 'value 91 > 80', value: 91, comment: null };

function harness(): { store: AlertStore; tell: (change: Record<string, Json>) => void; draw: () => void; changes: () => number } {
  let changes = 0;
  let pending: (() => void) | null = null;
  const store = new AlertStore(() => void (changes += 1), (publish) => void (pending = publish), () => 1_000);
  return {
    store,
    tell: (change) => store.onMessage(messageOf({ payload: { alert: { ...ALERT, ...change }, transition: STEP } }, 'alerts_critical', {})),
    draw: () => {
      pending?.();
      pending = null;
    },
    changes: () => changes,
  };
}

describe('live alerts', () => {
  it('are seen with the next frame, in their newest version', () => {
    const { store, tell, draw, changes } = harness();
    tell({ version: 2, state: 'acknowledged' });
    tell({ version: 1 });
    expect(store.live().size).toBe(0);
    draw();
    expect(store.live().get('a')).toMatchObject({ heard_at_ms: 1_000, alert: { state: 'acknowledged', version: 2, labels: { node: 'web-1' } } });
    expect(changes()).toBe(1);
  });

  it('stand still while paused, and are all there afterwards', () => {
    const { store, tell, draw } = harness();
    store.setPaused(true);
    tell({});
    draw();
    expect(store.live().size).toBe(0);
    store.setPaused(false);
    draw();
    expect(store.live().size).toBe(1);
  });

  it('are bounded: what was heard of longest ago is forgotten', () => {
    const { store, tell, draw } = harness();
    for (let index = 0; index <= LIVE_BOUND; index += 1) tell({ id: `a${index}` });
    tell({ id: 'a1', version: 2 });
    tell({ id: 'last' });
    draw();
    expect(store.live().size).toBe(LIVE_BOUND);
    expect([store.live().has('a0'), store.live().has('a1'), store.live().has('a2'), store.live().has('last')]).toEqual([false, true, false, true]);
  });

  it('are nothing that has no life cycle', () => {
    const { store, tell, draw } = harness();
    tell({ version: null });
    tell({ state: 'odd' });
    tell({ severity: 'loud' });
    store.onMessage(messageOf({ payload: 'text' }, 'alerts_info', {}));
    draw();
    expect(store.live().size).toBe(0);
  });
});

it('reads alerts and steps with what may be missing', () => {
  expect(alertOf(ALERT)).toMatchObject({ service: null, rule_id: null, escalation_level: 0, resolved_at: null, count: 4 });
  expect(transitionOf(STEP)).toEqual(STEP);
  expect(transitionOf({ ...STEP, from: null })?.from).toBeNull();
  expect([transitionOf(null), transitionOf({ ...STEP, to: 'odd' })]).toEqual([null, null]);
});
