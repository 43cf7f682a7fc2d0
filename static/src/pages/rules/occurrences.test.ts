import { describe, expect, it } from 'vitest';
import type { WindowDefinition } from '../../api/policies';
import { barsOf, occurrencesOf, timeZones } from './occurrences';

const NOW_MS = Date.parse('2026-11-28T12:00:00Z');
const HOUR_MS = 3_600_000;
const nightly: WindowDefinition = { name: 'night', cron: '0 2 * * *', time_zone: 'Europe/Berlin', duration_seconds: 7_200 };
const starts = (window: WindowDefinition, now = '2026-11-28T12:00:00Z', bound = 3): string[] =>
  occurrencesOf(window, Date.parse(now), bound).map((one) => new Date(one.from_ms).toISOString().slice(0, 16));

describe('windows that come again', () => {
  it('begin by the clock of their time zone', () => {
    expect(starts(nightly)).toEqual(['2026-11-29T01:00', '2026-11-30T01:00', '2026-12-01T01:00']);
    expect(starts({ ...nightly, time_zone: 'Asia/Kolkata' }, undefined, 1)).toEqual(['2026-11-28T20:30']);
  });

  it('keep to that clock when summer begins', () => {
    expect(starts({ ...nightly, cron: '0 4 * * *' }, '2026-03-27T12:00:00Z')).toEqual(['2026-03-28T03:00', '2026-03-29T02:00', '2026-03-30T02:00']);
  });

  it('have the one that goes on first', () => {
    expect(occurrencesOf(nightly, Date.parse('2026-11-28T02:30:00Z'), 2)[0]).toEqual({
      from_ms: Date.parse('2026-11-28T01:00:00Z'), until_ms: Date.parse('2026-11-28T03:00:00Z'),
    });
  });

  it('are none when they cannot be read', () => {
    expect([starts({ ...nightly, cron: 'soon' }), starts({ ...nightly, cron: '0 99 * * *' }), starts({ ...nightly, duration_seconds: 0 }), starts({ ...nightly, time_zone: 'Moon/Base' })])
      .toEqual([[], [], [], []]);
  });
});

it('knows a window that comes once, until it is over', () => {
  const once: WindowDefinition = { name: 'once', start: '2026-11-28T11:00:00Z', end: '2026-11-28T13:00:00Z' };
  expect([starts(once), starts(once, '2026-11-28T13:00:00Z'), starts({ name: 'odd', start: 'x' })]).toEqual([['2026-11-28T11:00'], [], []]);
});

it('draws what lies within the days', () => {
  const window = { ...nightly, id: 'n', active: false, active_until: null, next_start: null, over: false };
  const bars = barsOf(window, NOW_MS, NOW_MS + 24 * HOUR_MS);
  expect(bars.map(({ from, to }) => [from * 24, to * 24])).toEqual([[13, 15]]);
  const running = { ...window, start: '2026-11-28T11:00:00Z', end: '2026-12-28T13:00:00Z', cron: undefined } as unknown as typeof window;
  expect(barsOf(running, NOW_MS, NOW_MS + 24 * HOUR_MS).map(({ from, to }) => [from, to])).toEqual([[0, 1]]);
});

it('offers time zones, the own one first', () => {
  const { own, all } = timeZones();
  expect(all[0]).toBe(own);
  expect(all).toContain('Europe/Berlin');
});
