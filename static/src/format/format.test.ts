import { describe, expect, it } from 'vitest';
import { bytes, bytesPerSecond, celsius, count, decimal, ofTotal, perSecond, percent, plain, UNKNOWN, wholePercent } from './numbers';
import { duration, milliseconds, unixMs } from './times';

describe('unknown values', () => {
  it.each([percent, bytes, bytesPerSecond, count, perSecond, decimal, celsius, duration, milliseconds])('are never a number: %o', (format) => {
    for (const value of [null, undefined, Number.NaN, Infinity]) expect(format(value)).toBe(UNKNOWN);
  });

  it('make a share unknown', () => {
    expect(ofTotal(1, null)).toBe(UNKNOWN);
    expect(ofTotal(undefined, 1)).toBe(UNKNOWN);
  });
});

it.each([
  [0, '0 B'], [1023, '1023 B'], [1023.9, '1.00 KiB'], [1024, '1.00 KiB'], [512, '512 B'], [1536, '1.50 KiB'], [10.5 * 1024, '10.5 KiB'],
  [123.4 * 1024 ** 2, '123 MiB'], [8 * 1024 ** 3, '8.00 GiB'], [1e20, '88818 PiB'], [-2048, '-2.00 KiB'],
])('%d bytes are %s', (value, text) => expect(bytes(value)).toBe(text));

it.each([[0, '0 B/s'], [999, '999 B/s'], [999.9, '1.00 kB/s'], [1_234, '1.23 kB/s'], [12_345_678, '12.3 MB/s'], [99_999, '100 kB/s']])(
  '%d bytes per second are %s', (value, text) => expect(bytesPerSecond(value)).toBe(text));

it.each([[0, '0.00'], [9.999, '10.0'], [12.34, '12.3'], [1234.5, '1,235'], [99.96, '100']])(
  '%d per second is %s', (value, text) => expect(perSecond(value)).toBe(text));

it('keeps one decimal for percentages in text and none on scales', () => {
  expect([percent(0), percent(99.96), wholePercent(80), wholePercent(2.5)]).toEqual(['0.0 %', '100.0 %', '80 %', '2.5 %']);
  expect([plain(0.5), plain(1)]).toEqual(['0.5', '1']);
});

it.each([
  [-3, '0 s'], [0, '0 s'], [59.9, '59 s'], [60, '1 min'], [3_599, '59 min'], [3_600, '1 h'], [7_500, '2 h 5 min'], [86_400, '1 d'], [273_600, '3 d 4 h'],
])('%d seconds are %s', (seconds, text) => expect(duration(seconds)).toBe(text));

it.each([[0, '0 ms'], [0.4, '0.4 ms'], [12.3, '12 ms'], [1_000, '1 s'], [1_500, '1.5 s'], [60_000, '1 min']])(
  '%d milliseconds are %s', (value, text) => expect(milliseconds(value)).toBe(text));

it('reads times and knows when there is none', () => {
  expect(unixMs('1970-01-01T00:00:01.500Z')).toBe(1_500);
  expect([unixMs(null), unixMs(undefined), unixMs('yesterday')]).toEqual([null, null, null]);
});
