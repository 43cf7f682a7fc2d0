import { expect, it } from 'vitest';
import { readSeconds, spokenSeconds, writeSeconds } from './seconds';

it.each([
  ['90', 90], ['30s', 30], [' 5 m ', 300], ['5min', 300], ['1h 30m', 5_400], ['1h30m', 5_400], ['1.5h', 5_400], ['2d', 172_800], ['0', 0], ['0.25', 0.25],
  ['', null], ['soon', null], ['5 apples', null], ['-5', null], ['5m x', null], ['5ms', null],
])('%j is %s seconds', (text, seconds) => expect(readSeconds(text)).toBe(seconds));

it.each([[0, '0s'], [30, '30s'], [300, '5m'], [5_400, '1h 30m'], [172_800, '2d'], [61, '1m 1s'], [2.5, '2.5s'], [100.5, '100.5s']])(
  '%d seconds are written %s, and read back', (seconds, text) => {
    expect(writeSeconds(seconds)).toBe(text);
    expect(readSeconds(text)).toBe(seconds);
  });

it('says them in a sentence', () => {
  expect([spokenSeconds(300), spokenSeconds(5_400), spokenSeconds(20)]).toEqual(['5 min', '1 h 30 min', '20 s']);
});
