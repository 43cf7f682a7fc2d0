import type { ReactNode } from 'react';
import { dateAndClock, duration, unixMs } from '../format/times';
import { UNKNOWN } from '../format/numbers';
import { useConnection } from '../state/context';
import { useNow } from '../state/ticker';

/** How long ago something was on the hub's clock, counting up each second. */
export function Age({ at, suffix = '' }: { readonly at: string | number | null | undefined; readonly suffix?: string }): ReactNode {
  const now_ms = useNow() + useConnection().clock_skew_ms;
  const at_ms = typeof at === 'number' ? at : unixMs(at);
  if (at_ms === null) return <span className="age">{UNKNOWN}</span>;
  const age_s = Math.max(0, (now_ms - at_ms) / 1000);
  return <time className="age" dateTime={new Date(at_ms).toISOString()} title={dateAndClock(new Date(at_ms).toISOString())}>{duration(age_s)}{suffix}</time>;
}
