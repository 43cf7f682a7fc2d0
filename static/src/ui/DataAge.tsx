import type { ReactNode } from 'react';
import { useConnection } from '../state/context';
import { useNow } from '../state/ticker';
import { usePaused } from '../state/view';
import { isFlowing } from '../wire/connectionState';
import { duration } from '../format/times';

/** While data may be old: how old it is. `read_at_ms` is the browser's clock. Says that it is live only where changes arrive by themselves. */
export function DataAge({ read_at_ms }: { readonly read_at_ms: number }): ReactNode {
  const flowing = isFlowing(useConnection().phase);
  const paused = usePaused();
  const age = duration((useNow() - read_at_ms) / 1000);
  if (read_at_ms === 0) return null;
  if (flowing && !paused) return <span className="muted data-age" data-age="live">Live</span>;
  return <span className="tone-warn data-age" data-age="old">{paused ? 'Paused' : 'Not live'}, as of {age} ago</span>;
}
