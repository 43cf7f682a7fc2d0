import { expect, it } from 'vitest';
import { picked, swapped, unpicked } from './picking';

const after = (start: string, ...ids: string[]): string => ids.reduce((parameters, id) => picked(parameters, id), new URLSearchParams(start)).toString();

it('fills A, then B; a third run takes the place of the second', () => {
  expect(after('', '1')).toBe('a=1');
  expect(after('', '1', '2')).toBe('a=1&b=2');
  expect(after('', '1', '2', '3')).toBe('a=1&b=3');
});

it('takes a run out again, and the other one moves up', () => {
  expect(after('a=1&b=2', '1')).toBe('a=2');
  expect(after('a=1&b=2', '2')).toBe('a=1');
  expect(after('run=9&a=1', '1')).toBe('run=9');
});

it('swaps and clears', () => {
  expect(swapped(new URLSearchParams('a=1&b=2')).toString()).toBe('a=2&b=1');
  expect(swapped(new URLSearchParams('a=1')).toString()).toBe('a=1');
  expect(unpicked(new URLSearchParams('run=9&a=1&b=2')).toString()).toBe('run=9');
});
