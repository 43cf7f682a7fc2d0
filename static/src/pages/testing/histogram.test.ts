import { describe, expect, it } from 'vitest';
import { barAt, barsOf, marksOf, scaleOf, sharesOf, stepsOf, tickText, ticksOf } from './histogram';

const BUCKETS = [{ le_ms: 1, count: 0 }, { le_ms: 10, count: 30 }, { le_ms: 100, count: 0 }, { le_ms: 1000, count: 10 }, { le_ms: 10_000, count: 0 }];

describe('bars', () => {
  it('reach from the bucket before, and empty ones at both ends are left out', () => {
    expect(barsOf(BUCKETS)).toEqual([{ from: 0, to: 1, count: 30 }, { from: 1, to: 2, count: 0 }, { from: 2, to: 3, count: 10 }]);
  });

  it('are in order whatever the order of the buckets, and none where nothing was counted', () => {
    expect(barsOf([...BUCKETS].reverse())).toEqual(barsOf(BUCKETS));
    expect(barsOf(BUCKETS.map((bucket) => ({ ...bucket, count: 0 })))).toEqual([]);
    expect(barsOf([])).toEqual([]);
  });

  it('have a lower end even in the first bucket', () => {
    const [first] = barsOf([{ le_ms: 2, count: 5 }]);
    expect(first?.to).toBeCloseTo(Math.log10(2));
    expect(first?.from).toBeCloseTo(0);
  });

  it('add up to 100 percent as shares', () => {
    expect(sharesOf(barsOf(BUCKETS)).map((bar) => bar.count)).toEqual([75, 0, 25]);
    expect(sharesOf([])).toEqual([]);
  });
});

describe('the scale', () => {
  it('takes in the bars of both runs and is never so short that one bucket fills it', () => {
    const [low, high] = scaleOf(barsOf(BUCKETS), barsOf([{ le_ms: 0.1, count: 1 }]));
    expect(low).toBeLessThan(Math.log10(0.1));
    expect(high).toBeGreaterThan(3);
    const [from, to] = scaleOf(barsOf([{ le_ms: 2, count: 5 }]));
    expect(to - from).toBeGreaterThanOrEqual(0.9);
    expect(scaleOf([])).toEqual([-1, 2]);
  });

  it('has round ticks, fewer on a long one', () => {
    expect(ticksOf([0, 1]).map(tickText)).toEqual(['1 ms', '2 ms', '5 ms', '10 ms']);
    expect(ticksOf([-1, 4], 6).map(tickText)).toEqual(['0.1 ms', '1 ms', '10 ms', '100 ms', '1 s', '10 s']);
    expect(tickText(Math.log10(0.25))).toBe('0.25 ms');
  });
});

describe('steps', () => {
  it('give the count from each edge to the next, and end', () => {
    expect(stepsOf([barsOf(BUCKETS)])).toEqual([[0, 1, 2, 3], [30, 0, 10, 0]]);
  });

  it('of two runs share their edges', () => {
    const other = barsOf([{ le_ms: 10, count: 0 }, { le_ms: 100, count: 4 }]);
    expect(stepsOf([barsOf(BUCKETS), other])).toEqual([[0, 1, 2, 3], [30, 0, 10, 0], [0, 4, 0, 0]]);
  });

  it('a place belongs to the bar that begins there', () => {
    const bars = barsOf(BUCKETS);
    expect([barAt(bars, 0)?.count, barAt(bars, 0.99)?.count, barAt(bars, 1)?.count, barAt(bars, 3)]).toEqual([30, 30, 0, undefined]);
  });
});

it('marks only percentiles that were measured', () => {
  const latency = { p50_ms: 4.2, p95_ms: 0, p99_ms: null, p999_ms: 80, max_ms: 90 };
  expect(marksOf(latency)).toEqual([{ name: 'p50', ms: 4.2, text: '4.20 ms' }]);
  expect(marksOf({ ...latency, p99_ms: 12 }, ['p99']).map((mark) => mark.name)).toEqual(['p99']);
  expect(marksOf(null)).toEqual([]);
});
