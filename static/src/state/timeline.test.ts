import { expect, it } from 'vitest';
import { initialConnectionState, type ConnectionState } from '../wire/connectionState';
import { MOMENTS_BOUND, Timeline } from './timeline';

const state = (change: Partial<ConnectionState>): ConnectionState => ({ ...initialConnectionState(0), ...change });
const outline = (timeline: Timeline): unknown[] => timeline.list().map((moment) => [moment.state, moment.at_ms, moment.reason, moment.attempts]);

it('tells stretches apart, and takes the attempts in between for being offline', () => {
  const timeline = new Timeline();
  timeline.note(state({ phase: 'connecting' }), 0);
  timeline.note(state({ phase: 'syncing' }), 10);
  timeline.note(state({ phase: 'live' }), 20);
  timeline.note(state({ phase: 'live', round_trip_ms: 3 }), 30);
  for (const attempt of [1, 2, 3]) {
    timeline.note(state({ phase: 'offline', reason: 'gone', attempt }), 40 * attempt);
    timeline.note(state({ phase: 'connecting', reason: 'gone', attempt }), 40 * attempt + 5);
  }
  expect(outline(timeline)).toEqual([['connecting', 0, null, 0], ['syncing', 10, null, 0], ['live', 20, null, 0], ['offline', 40, 'gone', 2]]);
});

it('says when values came over HTTP, and what a reconnect brought back', () => {
  const timeline = new Timeline();
  timeline.note(state({ phase: 'offline', reason: 'gone', attempt: 1 }), 0);
  const fallback = { since_ms: 0, answered_at_ms: 5, answers: 1, messages: 0, failure: null };
  timeline.note(state({ phase: 'offline', reason: 'gone', attempt: 1, fallback }), 5);
  timeline.note(state({ phase: 'live', recovery: { at_ms: 8, took_ms: 1, topics: 2, recovered: 1, lost: ['nodes'], messages: 7 } }), 9);
  expect(timeline.list().map((moment) => [moment.state, moment.reason])).toEqual([
    ['offline', 'gone'], ['polling', 'gone; values come over HTTP'],
    ['live', '1 of 2 topics recovered, 7 messages; snapshot read for nodes'],
  ]);
});

it('is bounded, and names what is degraded', () => {
  const timeline = new Timeline();
  for (let index = 0; index < MOMENTS_BOUND; index += 1) {
    timeline.note(state({ phase: 'live' }), index);
    timeline.note(state({ phase: 'degraded', degraded_subsystems: ['store'] }), index);
  }
  timeline.note(state({ phase: 'degraded', degraded_subsystems: ['store', 'alerts'] }), 0);
  expect(timeline.list()).toHaveLength(MOMENTS_BOUND);
  expect(timeline.list().at(-1)?.reason).toBe('store, alerts');
});
