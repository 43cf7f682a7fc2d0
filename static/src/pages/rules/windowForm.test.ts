import { describe, expect, it } from 'vitest';
import type { WindowDefinition } from '../../api/policies';
import { emptyWindow, readWindow, windowForm } from './windowForm';

const NOW_MS = Date.parse('2026-11-28T12:34:00Z');
const VIEW = { id: 'w', active: false, active_until: null, next_start: null, over: false };
const back = (definition: WindowDefinition): unknown => readWindow(windowForm({ ...definition, ...VIEW }, NOW_MS, 'UTC'));

describe('a stored window', () => {
  it.each<WindowDefinition>([
    { name: 'once', matchers: ['node="web-1"', 'zone!=a'], start: '2026-11-28T13:00:00.000Z', end: '2026-11-28T15:30:00.000Z', comment: 'disk' },
    { name: 'again', matchers: [], service: 'shop', metric_pattern: 'cpu_.*', cron: '0 2 * * 1-5', time_zone: 'Europe/Berlin', duration_seconds: 5_400 },
  ])('comes back from the form as it was: $name', (definition) => expect(back(definition)).toEqual({ definition }));
});

it('says what is missing', () => {
  const form = { ...emptyWindow(NOW_MS, 'UTC'), start: '' };
  expect(readWindow(form)).toEqual({
    errors: { '/name': 'It is needed', '/matchers': 'Say which alerts: by labels, a service or a metric', '/start': 'A date and a time are needed' },
  });
  expect(readWindow({ ...form, name: 'n', service: 's', again: true, cron: ' ', duration_seconds: 'long' })).toEqual({
    errors: { '/cron': 'It is needed', '/duration_seconds': 'A time is needed, such as 30s, 5m or 1h' },
  });
});
