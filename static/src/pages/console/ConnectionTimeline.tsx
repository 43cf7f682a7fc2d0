import { useSyncExternalStore, type ReactNode } from 'react';
import { clock, duration, milliseconds } from '../../format/times';
import { useServices } from '../../state/context';
import { useNow } from '../../state/ticker';
import { Icon } from '../../ui/icons';
import { Panel } from '../../ui/Panel';
import { band, spansOf, STRETCHES, sums, type Span } from './stretches';

const WINDOW_MS = 15 * 60_000;
const MIN_WINDOW_MS = 60_000;

/** Every state that the connection was in since the page was opened, with reason and length. */
export function ConnectionTimeline(): ReactNode {
  const { timeline } = useServices();
  const moments = useSyncExternalStore(timeline.watch, timeline.list);
  const now_ms = useNow();
  const spans = spansOf(moments, now_ms);
  const began_ms = moments[0]?.at_ms ?? now_ms;
  const window_ms = Math.min(WINDOW_MS, Math.max(MIN_WINDOW_MS, now_ms - began_ms));
  return (
    <Panel title="Connection timeline" count={moments.length} actions={<span className="muted timeline-sums">{sums(spans).slice(0, 3).map(([state, ms]) => `${STRETCHES[state].label} ${long(ms)}`).join(' · ')}</span>} flush>
      <div className="band-box">
        {/* The list below says the same. */}
        <div className="band" aria-hidden="true">
          {band(spans, now_ms - window_ms, now_ms).map(({ span, start, size }) => (
            <span key={span.seq} className={`band-part band-${STRETCHES[span.state].tone} band-${span.state}`} title={STRETCHES[span.state].label}
              style={{ left: `${(start * 100).toFixed(3)}%`, width: `${(size * 100).toFixed(3)}%` }} />
          ))}
        </div>
        <div className="band-scale muted" aria-hidden="true"><span>{duration(window_ms / 1000)} ago</span><span>now</span></div>
      </div>
      {/* A box that scrolls has to be reachable by keyboard. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <ol className="moments" tabIndex={0} aria-label="States of the connection, newest first">
        {spans.toReversed().map((span) => <MomentRow key={span.seq} span={span} />)}
      </ol>
    </Panel>
  );
}

function MomentRow({ span }: { readonly span: Span }): ReactNode {
  const { label, tone, icon } = STRETCHES[span.state];
  return (
    <li data-moment={span.state}>
      <span className={`status tone-${tone}`}><Icon name={icon} size={13} />{label}</span>
      <span className="muted">{clock(span.at_ms)}</span>
      <span className="number">{long(span.until_ms - span.at_ms)}{span.goes_on ? ' so far' : ''}</span>
      <span className="moment-reason muted">
        {span.reason ?? ''}{span.attempts > 0 ? `${span.reason === null ? '' : '; '}${span.attempts} attempts failed` : ''}
      </span>
    </li>
  );
}

function long(ms: number): string {
  return ms < 60_000 ? milliseconds(Math.round(ms)) : duration(ms / 1000);
}
