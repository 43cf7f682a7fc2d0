import type { ReactNode } from 'react';
import { UNKNOWN } from '../format/numbers';
import { duration, unixMs } from '../format/times';
import { useConnection } from '../state/context';
import { useNow } from '../state/ticker';

/** How long until a time on the hub's clock, counting down each second. */
export function Countdown({ until }: { readonly until: string }): ReactNode {
  const now_ms = useNow() + useConnection().clock_skew_ms;
  const until_ms = unixMs(until);
  return <span className="age" data-countdown>{until_ms === null ? UNKNOWN : duration((until_ms - now_ms) / 1000)}</span>;
}
