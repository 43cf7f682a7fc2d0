import { expect, test } from 'vitest';
import { readMoment } from './moment';

test('a date field means a moment in the time of the browser', () => {
  const local = new Date(2026, 10, 28, 3, 12, 7);
  expect(readMoment('2026-11-28T03:12:07')).toBe(local.toISOString());
  expect(readMoment('2026-11-28T03:12')).toBe(new Date(2026, 10, 28, 3, 12).toISOString());
});

test('a field that is not whole means none', () => {
  expect(readMoment('')).toBeNull();
  expect(readMoment('2026-11-28T')).toBeNull();
});
