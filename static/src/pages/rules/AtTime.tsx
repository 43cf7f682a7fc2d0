import { type ReactNode } from 'react';
import { dateAndClock } from '../../format/times';
import { readMoment } from './moment';

interface AtTimeProps {
  /** As the date field has it; empty: now. */
  readonly field: string;
  readonly change: (field: string) => void;
}

/** Which moment is asked about: the present, or one of the past. */
export function AtTime({ field, change }: AtTimeProps): ReactNode {
  return (
    <span className="at-time">
      <label>at that time <input type="datetime-local" step={1} value={field} onChange={(event) => change(event.target.value)} /></label>
      {field !== '' && <button type="button" className="small" onClick={() => change('')}>Now</button>}
    </span>
  );
}

interface PastProps {
  readonly field: string;
  /** The moment that the hub explains. */
  readonly at: string;
  readonly caveats: readonly string[];
}

/** Which moment is shown, and what the hub cannot know of it. */
export function Past({ field, at, caveats }: PastProps): ReactNode {
  if (readMoment(field) === null) return null;
  return (
    <div className="past" data-explained-at={at}>
      <p className="muted">As the history of alerts has it for {dateAndClock(at)}; the samples of then are not judged again.</p>
      {caveats.map((caveat) => <p key={caveat} className="tone-warn">{caveat}</p>)}
    </div>
  );
}
