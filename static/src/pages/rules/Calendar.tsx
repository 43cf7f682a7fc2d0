import { useMemo, type ReactNode } from 'react';
import type { SuppressionWindow } from '../../api/policies';
import { Panel } from '../../ui/Panel';
import { barsOf, momentText } from './occurrences';

const DAYS = 7;
const DAY_MS = 86_400_000;
const SHOWN = 12;

/** When windows hold alerts back within the next week, one line each. */
export function Calendar({ windows, now_ms }: { readonly windows: readonly SuppressionWindow[]; readonly now_ms: number }): ReactNode {
  const minute_ms = Math.floor(now_ms / 60_000) * 60_000;
  const from_ms = useMemo(() => new Date(minute_ms).setHours(0, 0, 0, 0), [minute_ms]);
  const until_ms = from_ms + DAYS * DAY_MS;
  const days = Array.from({ length: DAYS }, (_, day) => from_ms + day * DAY_MS);
  const now = (minute_ms - from_ms) / (until_ms - from_ms);
  return (
    <Panel title="The next seven days">
      <div className="calendar">
        <div className="calendar-days" aria-hidden="true">
          {days.map((day) => <span key={day}>{new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric' }).format(day)}</span>)}
        </div>
        {windows.slice(0, SHOWN).map((window) => {
          const bars = barsOf(window, from_ms, until_ms);
          return (
            <div key={window.id} className="calendar-line">
              <span className="calendar-name" title={window.name}>{window.name === '' ? window.id : window.name}</span>
              <div className="calendar-track" role="img"
                aria-label={bars.length === 0 ? 'nothing within the next seven days' : `from ${momentText(bars[0]?.occurrence.from_ms ?? 0)}${bars.length > 1 ? ` and ${bars.length - 1} more times` : ''}`}>
                {bars.map((bar) => (
                  <span key={bar.from} title={`${momentText(bar.occurrence.from_ms)} to ${momentText(bar.occurrence.until_ms)}`}
                    style={{ left: `${(bar.from * 100).toFixed(3)}%`, width: `max(3px, ${((bar.to - bar.from) * 100).toFixed(3)}%)` }} />
                ))}
                <i style={{ left: `${(now * 100).toFixed(3)}%` }} />
              </div>
            </div>
          );
        })}
      </div>
      {windows.length > SHOWN && <p className="muted">and {windows.length - SHOWN} more</p>}
    </Panel>
  );
}
