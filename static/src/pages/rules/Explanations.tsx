import type { ReactNode } from 'react';
import { Link } from 'react-router';
import type { Explanation } from '../../api/rules';
import { dateAndClock } from '../../format/times';
import { spokenSeconds } from '../../format/seconds';
import { Age } from '../../ui/Age';
import { Empty } from '../../ui/Panel';
import { Status } from '../../ui/Status';
import { actorText, valueText } from '../alerts/alertText';
import { seriesName } from './ruleWords';

interface ExplanationsProps {
  readonly items: readonly Explanation[];
  /** About one series only: its name is known. */
  readonly is_one?: boolean;
  readonly truncated?: boolean;
  /** About a moment of the past, of which only alerts are known. */
  readonly is_past?: boolean;
}

const SHOWN = 50;
const DECISIONS_SHOWN = 6;

/** What the rule says of each of its series: how it is, since when, and what was decided. */
export function Explanations({ items, is_one = false, truncated = false, is_past = false }: ExplanationsProps): ReactNode {
  if (items.length === 0 && is_past) {
    return <Empty title={is_one ? 'The hub knows of no alert of this series by then' : 'The hub knows of no series of the rule by then'}><p>Either no sample breached, or the hub does not know any more.</p></Empty>;
  }
  if (items.length === 0) {
    return <Empty title={is_one ? 'The rule does not follow this series at present' : 'The rule follows no series'}><p>No sample of its metrics has come since it began.</p></Empty>;
  }
  return (
    <ul className="explanations">
      {items.slice(0, SHOWN).map((item) => (
        <li key={item.fingerprint} data-explained={item.phase}>
          <p className="timeline-head">
            <Status word={item.phase} />
            {!is_one && <span className="mono">{seriesName(item.metric, item.labels)}</span>}
            {item.alert !== null && <Link to={`/alerts/${encodeURIComponent(item.alert.id)}`}>alert {item.alert.state}</Link>}
            <span className="muted timeline-when">{!is_past && <>sample <Age at={item.seen_at} suffix=" ago" />, </>}value {valueText(item.value)}</span>
          </p>
          <p>{item.text === '' ? 'Nothing was decided yet' : item.text}</p>
          {item.held_ms !== null && item.needed_ms !== null && item.needed_ms > 0 && item.phase === 'pending' && (
            <p className="muted">held for {spokenSeconds(Math.round(item.held_ms / 1000))} of {spokenSeconds(Math.round(item.needed_ms / 1000))}</p>
          )}
          {item.alert !== null && item.alert.reason !== '' && <p className="muted">the alert: {item.alert.reason}</p>}
          {item.decisions.length > 0 && (
            <ol className="decisions">
              {item.decisions.slice(-DECISIONS_SHOWN).reverse().map((decision) => (
                <li key={`${decision.at} ${decision.to}`}>
                  <span className="muted nowrap">{dateAndClock(decision.at)}</span>
                  <span className="nowrap">{decision.from ?? 'ok'} → {decision.to}</span>
                  <span>{decision.reason}{decision.actor === '' ? '' : ` (${actorText(decision.actor)})`}</span>
                </li>
              ))}
            </ol>
          )}
        </li>
      ))}
      {(items.length > SHOWN || truncated) && <li className="muted">There are more series; those that matter most are shown.</li>}
    </ul>
  );
}
