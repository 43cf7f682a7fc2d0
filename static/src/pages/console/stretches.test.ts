import { expect, it } from 'vitest';
import type { Moment, Stretch } from '../../state/timeline';
import { band, spansOf, sums } from './stretches';

const moment = (seq: number, state: Stretch, at_ms: number): Moment => ({ seq, state, at_ms, attempts: 0, reason: null });
const spans = spansOf([moment(1, 'connecting', 0), moment(2, 'live', 100), moment(3, 'offline', 900), moment(4, 'live', 1_000)], 2_000);

it('ends each stretch where the next begins, and the last one now', () => {
  expect(spans.map(({ until_ms, goes_on }) => [until_ms, goes_on])).toEqual([[100, false], [900, false], [1_000, false], [2_000, true]]);
  expect(sums(spans)).toEqual([['live', 1_800], ['connecting', 100], ['offline', 100]]);
});

it('cuts the band to its window', () => {
  expect(band(spans, 500, 1_500).map(({ span, start, size }) => [span.state, start, size])).toEqual([['live', 0, 0.4], ['offline', 0.4, 0.1], ['live', 0.5, 0.5]]);
});
