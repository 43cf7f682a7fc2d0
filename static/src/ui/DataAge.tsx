import type { ReactNode } from 'react';
import { useConnection } from '../state/context';
import { useNow } from '../state/ticker';
import { usePaused } from '../state/view';
import { isFlowing } from '../wire/connectionState';
import { duration } from '../format/times';

/** Longer than any list waits before it is read again. */
const OLD_MS = 35_000;

/** While data may be old: how old it is. `read_at_ms` is the browser's clock. Says that it is live only where changes arrive by themselves. */
export function DataAge({ read_at_ms }: { readonly read_at_ms: number }): ReactNode {
  const flowing = isFlowing(useConnection().phase);
  const paused = usePaused();
  const age_ms = useNow() - read_at_ms;
  if (read_at_ms === 0) return null;
  if (flowing && !paused && age_ms < OLD_MS) return <span className="muted data-age" data-age="live">Live</span>;
  return <span className="tone-warn data-age" data-age="old">{paused ? 'Paused' : 'Not live'}, as of {duration(age_ms / 1000)} ago</span>;
}
