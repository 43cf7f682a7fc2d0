import { useMemo, type ReactNode } from 'react';
import type { StoredRun } from '../../api/testing';
import { count, perSecond } from '../../format/numbers';
import type { LiveRun } from '../../state/runProgress';
import { Figures, type Figure } from './Figures';
import { latency } from './format';
import { Histogram } from './Histogram';
import { PhaseStrip } from './PhaseStrip';
import { RateLine } from './RateLine';

interface LiveRunProps {
  readonly live: LiveRun | null;
  readonly run: StoredRun | undefined;
}

/** A run while it runs, figure by figure as the hub tells of them. */
export function LiveRunView({ live, run }: LiveRunProps): ReactNode {
  const progress = live?.progress ?? null;
  const shown = useMemo(() => [{ label: 'now', histogram: progress?.histogram ?? [], latency: progress?.latency }], [progress]);
  if (live === null || progress === null) {
    return <p className="muted lab-waiting" role="status" data-live="waiting">It is starting; the first figures come within a second.</p>;
  }
  const planned = run?.connections?.planned ?? null;
  return (
    <div className="run" data-live="progress">
      <PhaseStrip phases={live.phases.map((phase) => ({ name: phase.name, duration_s: phase.to_s - phase.from_s }))} is_running />
      <Figures label="Progress" figures={[
        { name: 'Connected', value: count(progress.connected), ...(planned === null ? {} : { note: `of ${count(planned)}` }) },
        { name: 'Published', value: count(progress.published) },
        { name: 'Delivered', value: count(progress.delivered) },
        failures('Lost', progress.lost), failures('Duplicated', progress.duplicated), failures('Reordered', progress.reordered),
        { name: 'p99', value: latency(progress.latency.p99_ms), note: `p50 ${latency(progress.latency.p50_ms)}` },
        { name: 'Deliveries/s', value: perSecond(progress.deliveries_per_s) },
      ]} />
      <RateLine rates={live.rates} />
      <Histogram title="Latency so far" runs={shown} />
    </div>
  );
}

/** A count that ought to be none. */
export function failures(name: string, number: number | null | undefined): Figure {
  return { name, value: count(number), tone: typeof number === 'number' && number > 0 ? 'bad' : undefined };
}
