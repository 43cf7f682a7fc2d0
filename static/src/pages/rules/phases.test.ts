import { expect, it } from 'vitest';
import type { PreviewSeries, RulePhase } from '../../api/rules';
import { loudest, stretchesOf, sumOf } from './phases';

const at = (minute: number): string => `2026-11-28T12:${String(minute).padStart(2, '0')}:00Z`;
const series = (name: string, fired: number, firing_ms: number, ...phases: [number, RulePhase][]): PreviewSeries => ({
  metric: 'cpu_percent', labels: { node: name }, fired, firing_ms, phases: phases.map(([minute, phase]) => ({ at: at(minute), phase, value: 1 })),
});
const outline = (one: PreviewSeries, from = 0, until = 10): unknown[] => stretchesOf(one, at(from), at(until)).map(({ phase, from: begin, to }) => [phase, begin, to]);

it('fills the time without a gap', () => {
  expect(outline(series('a', 1, 0, [2, 'pending'], [4, 'firing'], [9, 'ok']))).toEqual([
    ['ok', 0, 0.2], ['pending', 0.2, 0.4], ['firing', 0.4, 0.9], ['ok', 0.9, 1],
  ]);
  expect(outline(series('a', 0, 0))).toEqual([['ok', 0, 1]]);
});

it('keeps to the time that was asked for, and leaves nothing that lasted no time', () => {
  expect(outline(series('a', 1, 0, [0, 'firing'], [5, 'firing'], [20, 'ok']), 2, 12)).toEqual([['firing', 0, 1]]);
  expect(outline(series('a', 1, 0, [1, 'pending'], [1, 'firing']), 0, 10)).toEqual([['ok', 0, 0.1], ['firing', 0.1, 1]]);
  expect(outline(series('a', 1, 0), 5, 5)).toEqual([]);
});

it('sums up, and puts the loudest first', () => {
  const all = [series('b', 0, 0), series('a', 0, 0), series('c', 2, 60_000), series('d', 2, 90_000)];
  expect(sumOf(all)).toEqual({ fired: 4, series: 4, firing_series: 2, firing_ms: 150_000 });
  expect(loudest(all).map((one) => one.labels.node)).toEqual(['d', 'c', 'a', 'b']);
});
