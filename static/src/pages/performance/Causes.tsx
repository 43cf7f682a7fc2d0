import type { ReactNode } from 'react';
import type { Counts, Performance, PerformanceStats } from '../../api/delivery';
import { messageOf } from '../../api/problem';
import { bytes, count } from '../../format/numbers';
import { ranked, words } from '../../format/counts';

interface CausesProps {
  readonly figures: Performance;
  readonly stats: PerformanceStats | null;
  readonly error: Error | null;
}

/** What was dropped, closed and refused since the hub started, and why. */
export function Causes({ figures: { delivery, bandwidth }, stats, error }: CausesProps): ReactNode {
  return (
    <div className="causes">
      <Cause title="Messages dropped" counts={delivery.dropped} none="None was dropped" />
      <Cause title="Bytes saved" counts={bandwidth.saved_by} none="None yet" format={bytes} />
      {stats === null
        ? error !== null && <p className="tone-warn" role="status">Connections and HTTP: {messageOf(error)}</p>
        : (
          <>
            <Cause title="Connections closed" counts={stats.connections.closed} none="None was closed" />
            <Cause title="HTTP answers" counts={stats.http.requests} none="None yet" />
            <Cause title="HTTP problems" counts={stats.http.problems} none="None" />
          </>
        )}
    </div>
  );
}

interface CauseProps {
  readonly title: string;
  readonly counts: Counts;
  readonly none: string;
  readonly format?: (value: number) => string;
}

function Cause({ title, counts, none, format = count }: CauseProps): ReactNode {
  const rows = ranked(counts);
  const most = rows[0]?.[1] ?? 0;
  return (
    <section aria-label={title}>
      <h3>{title}</h3>
      {rows.length === 0 ? <p className="muted">{none}</p> : (
        <ul className="bars">
          {rows.map(([name, value]) => (
            <li key={name}>
              <span className="bar" style={{ transform: `scaleX(${(value / most).toFixed(4)})` }} />
              <span>{words(name)}</span>
              <span className="number">{format(value)}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
