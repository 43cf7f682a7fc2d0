import type { PreviewSeries, RulePhase } from '../../api/rules';
import { unixMs } from '../../format/times';

/** A stretch of a series in one phase, as shares of the whole time, from 0 to 1. */
export interface Stretch {
  readonly phase: RulePhase;
  readonly from: number;
  readonly to: number;
  readonly from_ms: number;
  readonly to_ms: number;
  /** Why it began. */
  readonly reason: string;
}

/** The phases of a series over the time of a preview, without a gap. What was before the first change is ok. */
export function stretchesOf(series: PreviewSeries, from: string, until: string): Stretch[] {
  const [from_ms, until_ms] = [unixMs(from) ?? 0, unixMs(until) ?? 0];
  const span_ms = until_ms - from_ms;
  if (span_ms <= 0) return [];
  const stretches: Stretch[] = [];
  let phase: RulePhase = 'ok';
  let reason = '';
  let since_ms = from_ms;
  const close = (at_ms: number): void => {
    if (at_ms > since_ms) {
      stretches.push({ phase, reason, from_ms: since_ms, to_ms: at_ms, from: (since_ms - from_ms) / span_ms, to: (at_ms - from_ms) / span_ms });
    }
    since_ms = Math.max(since_ms, at_ms);
  };
  for (const change of series.phases) {
    const at_ms = Math.min(until_ms, Math.max(from_ms, unixMs(change.at) ?? from_ms));
    if (change.phase === phase) continue;
    close(at_ms);
    phase = change.phase;
    reason = change.reason ?? '';
  }
  close(until_ms);
  return stretches;
}

/** `3 times on 2 of 5 series, 12 min in all`, as numbers. */
export interface PreviewSum {
  readonly fired: number;
  readonly series: number;
  readonly firing_series: number;
  readonly firing_ms: number;
}

export function sumOf(series: readonly PreviewSeries[]): PreviewSum {
  return {
    fired: series.reduce((sum, one) => sum + one.fired, 0),
    series: series.length,
    firing_series: series.filter((one) => one.fired > 0).length,
    firing_ms: series.reduce((sum, one) => sum + one.firing_ms, 0),
  };
}

/** The series that fired most first; those that never did, by name. */
export function loudest(series: readonly PreviewSeries[]): PreviewSeries[] {
  return [...series].sort((left, right) => right.fired - left.fired || right.firing_ms - left.firing_ms || nameOf(left).localeCompare(nameOf(right)));
}

const nameOf = ({ metric, labels }: PreviewSeries): string => `${metric ?? ''} ${Object.values(labels).join(' ')}`;
