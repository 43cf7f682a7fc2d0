import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState, type ReactNode } from 'react';
import { Link } from 'react-router';
import type { Burst } from '../../api/delivery';
import { messageOf } from '../../api/problem';
import { count } from '../../format/numbers';
import { unixMs } from '../../format/times';
import { useConnection, useServices } from '../../state/context';
import { useNow } from '../../state/ticker';
import { Icon } from '../../ui/icons';

/** How long the note stays after the burst is over. */
const NOTE_MS = 8_000;

/** Asks the hub for a burst of made-up samples of made-up nodes, and says all along that they are made up. */
export function LiveBurst(): ReactNode {
  const { api } = useServices();
  const { hello, clock_skew_ms } = useConnection();
  const queries = useQueryClient();
  const [burst, setBurst] = useState<Burst | null>(null);
  const run = useMutation({
    mutationFn: () => api.post<Burst>('/api/v1/operations/demo'),
    onSuccess: (started) => {
      setBurst(started);
      void queries.invalidateQueries({ queryKey: ['nodes'] });
    },
  });
  const ends_ms = unixMs(burst?.ends_at) ?? 0;
  const rest_s = Math.ceil((ends_ms - useNow() - clock_skew_ms) / 1000);
  useEffect(() => {
    if (burst === null) return;
    const timer = setTimeout(() => setBurst(null), Math.max(0, ends_ms - Date.now() - clock_skew_ms) + NOTE_MS);
    return () => clearTimeout(timer);
  }, [burst, ends_ms, clock_skew_ms]);
  if (hello?.role !== 'admin' && hello?.role !== 'operator') return null;
  return (
    <div className="burst" data-burst={burst === null ? 'none' : rest_s > 0 ? 'running' : 'over'}>
      <span aria-live="polite">
        {run.error !== null && <span className="tone-bad">{messageOf(run.error)}</span>}
        {run.error === null && burst !== null && (
          <>
            <span className="tag">synthetic</span> {count(burst.samples)} made-up samples of{' '}
            {burst.nodes.map((node) => <Link key={node} to={`/nodes/${encodeURIComponent(node)}`}>{node}</Link>)}{' '}
            <span className="muted">{rest_s > 0 ? `for ${rest_s} s more` : 'are through'}</span>
          </>
        )}
      </span>
      <button type="button" disabled={run.isPending || rest_s > 0} title="Made-up samples of a made-up node go through the hub for 10 s, marked as such" onClick={() => run.mutate()}>
        <Icon name="bolt" size={14} />Run live burst
      </button>
    </div>
  );
}
