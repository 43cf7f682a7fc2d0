import type { Moment, Stretch } from '../../state/timeline';
import type { IconName } from '../../ui/icons';
import type { Tone } from '../../ui/Status';

export const STRETCHES: Readonly<Record<Stretch, { readonly label: string; readonly tone: Tone; readonly icon: IconName }>> = {
  connecting: { label: 'Connecting', tone: 'info', icon: 'dots' },
  syncing: { label: 'Syncing', tone: 'info', icon: 'dots' },
  live: { label: 'Live', tone: 'ok', icon: 'check' },
  degraded: { label: 'Degraded', tone: 'warn', icon: 'warning' },
  draining: { label: 'Draining', tone: 'warn', icon: 'clock' },
  polling: { label: 'Polling', tone: 'warn', icon: 'clock' },
  offline: { label: 'Offline', tone: 'bad', icon: 'cross' },
  stopped: { label: 'Stopped', tone: 'bad', icon: 'cross' },
};

/** A moment with its end; the last one goes on. */
export interface Span extends Moment {
  readonly until_ms: number;
  readonly goes_on: boolean;
}

/** Moments with their ends, oldest first. */
export function spansOf(moments: readonly Moment[], now_ms: number): Span[] {
  return moments.map((moment, index) => {
    const next = moments[index + 1];
    return { ...moment, until_ms: next?.at_ms ?? Math.max(now_ms, moment.at_ms), goes_on: next === undefined };
  });
}

/** The part of each span within the window, as a share of it from 0 to 1; spans outside are left out. */
export function band(spans: readonly Span[], since_ms: number, until_ms: number): { readonly span: Span; readonly start: number; readonly size: number }[] {
  const length_ms = Math.max(1, until_ms - since_ms);
  return spans.flatMap((span) => {
    const from_ms = Math.max(since_ms, span.at_ms);
    const to_ms = Math.min(until_ms, span.until_ms);
    return to_ms <= from_ms ? [] : [{ span, start: (from_ms - since_ms) / length_ms, size: (to_ms - from_ms) / length_ms }];
  });
}

/** How long the connection was in each state, the longest first. */
export function sums(spans: readonly Span[]): [Stretch, number][] {
  const total = new Map<Stretch, number>();
  for (const span of spans) total.set(span.state, (total.get(span.state) ?? 0) + span.until_ms - span.at_ms);
  return [...total].sort(([, left], [, right]) => right - left);
}
