import { UNKNOWN } from './numbers';

/** `4 s`, `3 min`, `2 h 5 min`, `3 d 4 h`: at most two units. */
export function duration(seconds: number | null | undefined): string {
  if (typeof seconds !== 'number' || !Number.isFinite(seconds)) return UNKNOWN;
  const total = Math.max(0, Math.floor(seconds));
  if (total < 60) return `${total} s`;
  const minutes = Math.floor(total / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  return hours % 24 === 0 ? `${days} d` : `${days} d ${hours % 24} h`;
}

/** Milliseconds of a short operation: `0.4 ms`, `12 ms`, `1.5 s`. */
export function milliseconds(value: number | null | undefined): string {
  if (typeof value !== 'number' || !Number.isFinite(value)) return UNKNOWN;
  if (value >= 60_000) return duration(value / 1000);
  if (value >= 1000) return `${trim((value / 1000).toFixed(1))} s`;
  return value >= 10 || Number.isInteger(value) ? `${value.toFixed(0)} ms` : `${value.toFixed(1)} ms`;
}

function trim(digits: string): string {
  return digits.endsWith('.0') ? digits.slice(0, -2) : digits;
}

/** Unix milliseconds of an RFC 3339 time, or `null`. */
export function unixMs(time: string | null | undefined): number | null {
  if (typeof time !== 'string') return null;
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? null : ms;
}

const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const DAY_AND_CLOCK = new Intl.DateTimeFormat('en-GB', {
  year: 'numeric', month: 'short', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit',
});

/** Local time of day: `14:03:10`. */
export function clock(ms: number): string {
  return CLOCK.format(ms);
}

const CLOCK_MS = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 });

/** Local time of day with milliseconds: `14:03:10.042`. */
export function clockMs(ms: number): string {
  return CLOCK_MS.format(ms);
}

/** Local date and time: `21 Nov 2026, 14:03:10`. */
export function dateAndClock(time: string | null | undefined): string {
  const ms = unixMs(time);
  return ms === null ? UNKNOWN : DAY_AND_CLOCK.format(ms);
}
