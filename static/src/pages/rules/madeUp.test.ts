import { expect, it } from 'vitest';
import { readValues, VALUES_MAX } from './madeUp';

it.each<[string, number[] | null]>([
  ['', []], ['10, 95x3 ; -1.5', [10, 95, 95, 95, -1.5]], ['1e3 0x2', [1_000, 0, 0]], ['1 two', null], ['1,2,', [1, 2]], ['5x0', []], ['5x', null],
  [`1x${VALUES_MAX}`, Array<number>(VALUES_MAX).fill(1)], [`1x${VALUES_MAX} 2`, null],
])('%j', (text, values) => expect(readValues(text)).toEqual(values));
