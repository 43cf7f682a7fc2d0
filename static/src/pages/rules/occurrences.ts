import { Cron } from 'croner';
import { unixMs } from '../../format/times';
import type { SuppressionWindow, WindowDefinition } from '../../api/policies';

/** A stretch of time in which a window holds alerts back; Unix milliseconds, the end is not in it. */
export interface Occurrence {
  readonly from_ms: number;
  readonly until_ms: number;
}

/** The next `bound` times that a window holds alerts back, the one that goes on first. Empty for what cannot be read. */
export function occurrencesOf(window: WindowDefinition, now_ms: number, bound: number): Occurrence[] {
  if (window.cron === undefined) {
    const [from_ms, until_ms] = [unixMs(window.start), unixMs(window.end)];
    return from_ms === null || until_ms === null || until_ms <= now_ms || until_ms <= from_ms ? [] : [{ from_ms, until_ms }];
  }
  const length_ms = (window.duration_seconds ?? 0) * 1000;
  if (length_ms <= 0) return [];
  // From one length back, so that the one that goes on is there too.
  const starts = startsOf(window.cron, window.time_zone ?? 'UTC', new Date(now_ms - length_ms), bound);
  return starts.map((start) => ({ from_ms: start.getTime(), until_ms: start.getTime() + length_ms })).filter((one) => one.until_ms > now_ms);
}

function startsOf(cron: string, time_zone: string, after: Date, bound: number): Date[] {
  if (cron.trim().split(/\s+/).length !== 5) return [];
  try {
    return new Cron(cron.trim(), { timezone: time_zone, paused: true }).nextRuns(bound, after);
  } catch {
    // No expression, or no time zone that this browser knows.
    return [];
  }
}

/** The parts of these days in which windows hold alerts back, as shares of the whole, for a calendar. */
export interface Bar {
  readonly from: number;
  readonly to: number;
  readonly occurrence: Occurrence;
}

export function barsOf(window: SuppressionWindow, from_ms: number, until_ms: number): Bar[] {
  const span_ms = until_ms - from_ms;
  const inside = occurrencesOf(window, from_ms, BARS_MAX).filter((one) => one.from_ms < until_ms);
  return inside.map((occurrence) => ({
    occurrence,
    from: Math.max(0, (occurrence.from_ms - from_ms) / span_ms),
    to: Math.min(1, (occurrence.until_ms - from_ms) / span_ms),
  }));
}

/** A window that begins each minute fills a calendar with fewer. */
const BARS_MAX = 400;

/** The time zones that this browser knows, its own first. */
export function timeZones(): { readonly own: string; readonly all: readonly string[] } {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const known = typeof Intl.supportedValuesOf === 'function' ? Intl.supportedValuesOf('timeZone') : [];
  return { own, all: [...new Set([own, 'UTC', ...known])] };
}

/** `Sat 28 Nov, 02:00` in a time zone; in the browser's own when none is given. */
export function momentText(ms: number, time_zone?: string): string {
  const parts = { weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' } as const;
  try {
    return new Intl.DateTimeFormat('en-GB', { ...parts, ...(time_zone === undefined ? {} : { timeZone: time_zone }) }).format(ms);
  } catch {
    // A time zone that the hub knows and this browser does not.
    return `${new Intl.DateTimeFormat('en-GB', parts).format(ms)} (your time)`;
  }
}
