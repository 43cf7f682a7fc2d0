import type { Bucket, RunLatency } from '../../api/testing';
import { latency } from './format';

/** One bar: a range of latencies on a logarithmic scale, and how many fell into it. */
export interface Bar {
  /** Decimal logarithms of milliseconds. */
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** The first bucket has no lower end; on a logarithmic scale it needs one. */
const FIRST_WIDTH = Math.log10(2);
/** A scale shows no less than this, so that a single bucket is not the whole picture. */
const SPAN_MIN = 0.9;

/** Bars of buckets in order, without the empty ones at both ends. */
export function barsOf(buckets: readonly Bucket[]): Bar[] {
  const sorted = buckets.filter((bucket) => bucket.le_ms > 0).sort((left, right) => left.le_ms - right.le_ms);
  const bars = sorted.map((bucket, index): Bar => {
    const to = Math.log10(bucket.le_ms);
    const before = sorted[index - 1];
    return { from: before === undefined ? to - FIRST_WIDTH : Math.log10(before.le_ms), to, count: bucket.count };
  });
  const first = bars.findIndex((bar) => bar.count > 0);
  const last = bars.findLastIndex((bar) => bar.count > 0);
  return first < 0 ? [] : bars.slice(first, last + 1);
}

/** The scale that takes in all bars: decimal logarithms of milliseconds. */
export function scaleOf(...groups: readonly (readonly Bar[])[]): [number, number] {
  const all = groups.flat();
  if (all.length === 0) return [-1, 2];
  const low = Math.min(...all.map((bar) => bar.from));
  const high = Math.max(...all.map((bar) => bar.to));
  const missing = Math.max(0, SPAN_MIN - (high - low));
  return [low - missing / 2 - 0.03, high + missing / 2 + 0.03];
}

const STEPS = [1, 2, 5] as const;

/** Round latencies within a scale (1, 2, 5, 10, ...), fewer of them on a long scale. */
export function ticksOf([low, high]: readonly [number, number], count_max = 9): number[] {
  const steps = high - low > count_max / 3 ? [1] : STEPS;
  const ticks: number[] = [];
  for (let decade = Math.floor(low); decade <= Math.ceil(high); decade += 1) {
    for (const step of steps) {
      const at = Math.log10(step) + decade;
      if (at >= low && at <= high) ticks.push(at);
    }
  }
  return ticks;
}

/** `0.2 ms`, `5 ms`, `2 s`: a tick of the scale. */
export function tickText(at: number): string {
  const ms = 10 ** at;
  return ms >= 999.5 ? `${Number((ms / 1000).toPrecision(2))} s` : `${Number(ms.toPrecision(2))} ms`;
}

export const MARK_NAMES = ['p50', 'p95', 'p99'] as const;
export type MarkName = (typeof MARK_NAMES)[number];

export interface Mark {
  readonly name: string;
  readonly ms: number;
  readonly text: string;
}

/** The percentiles to mark; those that nobody measured are left out. */
export function marksOf(of: RunLatency | null | undefined, names: readonly MarkName[] = MARK_NAMES): Mark[] {
  return names.flatMap((name) => {
    const ms = of?.[`${name}_ms`];
    return typeof ms === 'number' && ms > 0 ? [{ name, ms, text: latency(ms) }] : [];
  });
}

/** Counts as percent of all, so that runs of different length can lie over each other. */
export function sharesOf(bars: readonly Bar[]): Bar[] {
  const total = bars.reduce((sum, bar) => sum + bar.count, 0);
  return bars.map((bar) => ({ ...bar, count: total === 0 ? 0 : (bar.count / total) * 100 }));
}

export function totalOf(buckets: readonly Bucket[]): number {
  return buckets.reduce((sum, bucket) => sum + bucket.count, 0);
}

/** Edges of all bars as x, and for each group how many lie from there to the next edge; the last edge only ends the last bar. */
export function stepsOf(groups: readonly (readonly Bar[])[]): [number[], ...number[][]] {
  const edges = [...new Set(groups.flat().flatMap((bar) => [rounded(bar.from), rounded(bar.to)]))].sort((left, right) => left - right);
  return [edges, ...groups.map((bars) => edges.map((edge) => barAt(bars, edge)?.count ?? 0))];
}

/** The bar that a place on the scale belongs to. */
export function barAt(bars: readonly Bar[], at: number): Bar | undefined {
  return bars.find((bar) => at >= rounded(bar.from) && at < rounded(bar.to));
}

/** Edges of two runs that mean the same have to be the same. */
function rounded(at: number): number {
  return Math.round(at * 1e6) / 1e6;
}
