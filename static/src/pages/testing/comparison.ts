import type { StoredRun } from '../../api/testing';
import { bytes, count, decimal, perSecond, percent } from '../../format/numbers';
import { latency } from './format';

/** Differences below this are within what two runs of the same hub differ by: a tie. */
export const TIE_SHARE = 0.25;

export type Verdict = 'tie' | 'a' | 'b' | 'differs' | 'unknown';

interface Figure {
  readonly name: string;
  readonly read: (run: StoredRun) => number | null | undefined;
  readonly format: (value: number | null | undefined) => string;
  /** Which is better; a `setting` is neither, it only makes the runs different. */
  readonly better: 'lower' | 'higher' | 'setting';
  /** A count of failures: none is better than any, however few. */
  readonly exact?: boolean;
  /** Zero is nothing measured. */
  readonly positive?: boolean;
  /** Follows from what was asked for: no merit where two runs were asked for different things. */
  readonly asked?: boolean;
}

const FIGURES: readonly Figure[] = [
  { name: 'Connections', read: (run) => run.connections?.planned, format: count, better: 'setting' },
  { name: 'Duration', read: (run) => run.duration_s, format: (value) => `${decimal(value, 1)} s`, better: 'setting' },
  { name: 'Success rate', read: (run) => run.success_rate, format: percent, better: 'higher', exact: true },
  { name: 'Lost', read: (run) => run.messages?.lost, format: count, better: 'lower', exact: true },
  { name: 'Duplicated', read: (run) => run.messages?.duplicated, format: count, better: 'lower', exact: true },
  { name: 'Reordered', read: (run) => run.messages?.reordered, format: count, better: 'lower', exact: true },
  { name: 'Latency p50', read: (run) => run.latency?.p50_ms, format: latency, better: 'lower', positive: true },
  { name: 'Latency p95', read: (run) => run.latency?.p95_ms, format: latency, better: 'lower', positive: true },
  { name: 'Latency p99', read: (run) => run.latency?.p99_ms, format: latency, better: 'lower', positive: true },
  { name: 'Latency p99.9', read: (run) => run.latency?.p999_ms, format: latency, better: 'lower', positive: true },
  { name: 'Latency max', read: (run) => run.latency?.max_ms, format: latency, better: 'lower', positive: true },
  { name: 'Deliveries/s', read: (run) => run.deliveries_per_s, format: perSecond, better: 'higher', asked: true },
  { name: 'Delivered', read: (run) => run.messages?.delivered, format: count, better: 'setting' },
  { name: 'Received', read: (run) => run.bytes_in, format: bytes, better: 'setting' },
  { name: 'Hub CPU per million', read: (run) => run.server_cpu_s_per_million, format: (value) => (value === null || value === undefined ? decimal(null) : `${decimal(value, 2)} s`), better: 'lower' },
];

export interface ComparedRow {
  readonly name: string;
  readonly a: string;
  readonly b: string;
  /** B divided by A; `null` where it says nothing. */
  readonly ratio: number | null;
  readonly verdict: Verdict;
}

/** Two runs figure by figure. */
export function compareRuns(a: StoredRun, b: StoredRun): ComparedRow[] {
  const is_like = a.scenario === b.scenario && a.connections?.planned === b.connections?.planned;
  return FIGURES.map((figure) => {
    const left = figure.read(a) ?? null;
    const right = figure.read(b) ?? null;
    const ratio = left !== null && right !== null && left !== 0 ? right / left : null;
    return { name: figure.name, a: figure.format(left), b: figure.format(right), ratio, verdict: verdictOf(figure, left, right, is_like) };
  });
}

function verdictOf({ better, exact = false, asked = false, positive = false }: Figure, a: number | null, b: number | null, is_like: boolean): Verdict {
  if (a === null || b === null || (positive && (a <= 0 || b <= 0))) return 'unknown';
  if (a === b) return 'tie';
  // Either way round the same: the greater against the smaller.
  const apart = Math.max(a, b) / Math.max(Math.min(a, b), Number.MIN_VALUE) - 1;
  if (!exact && apart < TIE_SHARE) return 'tie';
  if (better === 'setting' || (asked && !is_like)) return 'differs';
  return (better === 'lower') === (a < b) ? 'a' : 'b';
}

/** What has to be said before two runs are compared: they may not have been asked for the same. */
export function unlike(a: StoredRun, b: StoredRun): string[] {
  const parts: string[] = [];
  if (a.scenario !== b.scenario) parts.push(`the scenarios are ${a.scenario.replaceAll('_', ' ')} and ${b.scenario.replaceAll('_', ' ')}`);
  const [left, right] = [a.connections?.planned, b.connections?.planned];
  if (left !== undefined && right !== undefined && left !== right) parts.push(`${count(left)} connections against ${count(right)}`);
  for (const [name, run] of [['A', a], ['B', b]] as const) if (run.status !== 'completed') parts.push(`${name} is ${run.status}`);
  return parts;
}
