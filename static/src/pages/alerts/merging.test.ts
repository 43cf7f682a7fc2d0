import { describe, expect, it } from 'vitest';
import type { OpenedAlert } from '../../api/alerts';
import type { LiveAlert } from '../../state/alertStore';
import { filterOf, passes, searchOf } from './alertFilter';
import { LEAVE_MS, merged, newer } from './merging';

const NOW_MS = Date.parse('2026-11-28T12:00:30Z');

function alert(id: string, change: Partial<OpenedAlert> = {}): OpenedAlert {
  return {
    id, fingerprint: id, rule_id: 'cpu', rule_name: 'CPU is busy', state: 'firing', severity: 'warning', score: 40, service: 'shop', title: `CPU of ${id}`,
    message: 'cpu_percent is 91', labels: { node: id }, annotations: {}, value: 91, reason: 'value 91 > 80', started_at: '2026-11-28T11:50:00Z',
    fired_at: '2026-11-28T11:51:00Z', acknowledged_by: null, acknowledged_at: null, notified_at: null, escalation_level: 0, suppressed_until: null,
    resolved_at: null, resolved_by: null, count: 3, last_breach_at: '2026-11-28T11:59:00Z', version: 2, ...change,
  };
}

const heard = (...alerts: OpenedAlert[]): Map<string, LiveAlert> => new Map(alerts.map((one) => [one.id, { alert: one, heard_at_ms: NOW_MS - 1_000 }]));
const filter = (query: string): ReturnType<typeof filterOf> => filterOf(new URLSearchParams(query));
const rows = (listed: OpenedAlert[], live: Map<string, LiveAlert>, query = '', change: { has_more?: boolean; now_ms?: number } = {}) =>
  merged({ listed, live, filter: filter(query), has_more: false, now_ms: NOW_MS, skew_ms: 0, ...change });
const ids = (...args: Parameters<typeof rows>): string[] => rows(...args).map((row) => row.alert.id);

describe('a list with live changes', () => {
  it('shows the newest version of each, whichever way it came', () => {
    const [row] = rows([alert('a')], heard(alert('a', { version: 3, state: 'acknowledged', acknowledged_by: 'ada' })));
    expect(row?.alert).toMatchObject({ state: 'acknowledged', acknowledged_by: 'ada' });
    expect(rows([alert('a', { version: 4, count: 9 })], heard(alert('a', { version: 3 })))[0]?.alert.count).toBe(9);
    expect(rows([alert('a', { count: 9 })], heard(alert('a')))[0]?.alert.count).toBe(9);
    expect(newer(alert('a'), { alert: alert('a', { version: 3, count: 7 }), heard_at_ms: 0 }).count).toBe(7);
    expect(newer(alert('a'), undefined).count).toBe(3);
  });

  it('puts what is new where it belongs', () => {
    const listed = [alert('a', { score: 80 }), alert('b', { score: 20 })];
    expect(ids(listed, heard(alert('c', { score: 50 })))).toEqual(['a', 'c', 'b']);
    expect(ids(listed, heard(alert('c', { score: 50, started_at: '2026-11-28T12:00:00Z' })), 'sort=newest')).toEqual(['c', 'a', 'b']);
    expect(ids(listed, heard(alert('c', { severity: 'critical' })), 'sort=worst')).toEqual(['c', 'a', 'b']);
  });

  it('leaves to the next page what belongs behind the end of this one', () => {
    const listed = [alert('a', { score: 80 }), alert('b', { score: 60 })];
    const live = heard(alert('c', { score: 50 }), alert('d', { score: 70 }));
    expect(ids(listed, live, '', { has_more: true })).toEqual(['a', 'd', 'b']);
  });

  it('lets what left the filter stay for a moment, and only then go', () => {
    const live = heard(alert('a', { version: 3, state: 'resolved' }));
    expect(rows([alert('a')], live)).toMatchObject([{ is_leaving: true, alert: { state: 'resolved' } }]);
    expect(rows([alert('a')], live, '', { now_ms: NOW_MS + LEAVE_MS })).toEqual([]);
    expect(rows([alert('a')], live, 'state=all')).toMatchObject([{ is_leaving: false, alert: { state: 'resolved' } }]);
  });
});

describe('the filter', () => {
  const lets = (query: string, change: Partial<OpenedAlert> = {}): boolean => passes(filter(query), alert('web-1', change), NOW_MS);

  it('lets every open alert through when nothing is said', () => {
    expect(['pending', 'firing', 'acknowledged', 'suppressed', 'resolved'].map((state) => lets('', { state: state as OpenedAlert['state'] })))
      .toEqual([true, true, true, true, false]);
    expect(lets('state=resolved', { state: 'resolved', fired_at: null })).toBe(false);
  });

  it.each([
    ['state=acknowledged,firing', true], ['state=acknowledged', false], ['severity=warning,critical', true], ['severity=critical', false],
    ['service=shop', true], ['service=bank', false], ['rule=cpu', true], ['rule=memory', false], ['label=node=web-1', true],
    ['label=node=web-1,zone=a', false], ['q=cpu+OF', true], ['q=nothing', false], ['since=1h', true], ['severity=loud&state=odd', true],
  ])('%s: %s', (query, expected) => expect(lets(query)).toBe(expected));

  it('knows the age of an alert', () => {
    expect(lets('since=1h', { started_at: '2026-11-28T10:59:00Z' })).toBe(false);
  });

  it('asks the hub for what it lets through', () => {
    expect(searchOf(filter(''), NOW_MS)).toEqual({ states: ['firing', 'acknowledged', 'suppressed', 'pending'], sort: 'urgent' });
    expect(searchOf(filter('q=+disk+&severity=error&service=s&rule=r&label=node=a,path=/a=b&since=1h&state=resolved&sort=oldest'), NOW_MS)).toEqual({
      states: ['resolved'], sort: 'oldest', text: 'disk', severities: ['error'], services: ['s'], rule_ids: ['r'], labels: { node: 'a', path: '/a=b' },
      since: '2026-11-28T11:00:00.000Z',
    });
  });
});
