import type { ReactNode } from 'react';
import { SEVERITIES, type AlertMessage, type Severity } from '../../api/delivery';
import { useAlertHistory } from '../../api/deliveryQueries';
import { messageOf } from '../../api/problem';
import { useFeed } from '../../state/useFeed';
import { useParameter } from '../../state/view';
import { Age } from '../../ui/Age';
import { Empty, Failure, Panel } from '../../ui/Panel';
import { Status } from '../../ui/Status';
import { isObject, text, type Message } from '../../wire/envelope';

const SHOWN = 50;
const TOPICS = SEVERITIES.map((severity) => `alerts_${severity}`);

interface FeedAlert {
  readonly key: string;
  readonly at: string;
  readonly severity: Severity;
  readonly title: string;
  readonly message: string;
  readonly service: string | null;
  readonly state: string;
  readonly simulated: boolean;
}

function ofMessage(message: Message): FeedAlert | null {
  if (!isObject(message.payload) || !isObject(message.payload.alert)) return null;
  const { alert, transition } = message.payload;
  const severity = SEVERITIES.find((known) => known === alert.severity);
  if (severity === undefined) return null;
  return {
    key: message.id, at: message.timestamp, severity, title: text(alert.title) ?? '', message: text(alert.message) ?? '', service: text(alert.service),
    state: (isObject(transition) ? text(transition.to) : null) ?? text(alert.state) ?? '',
    simulated: isObject(alert.labels) && alert.labels.simulated === 'true',
  };
}

function ofHistory({ id, timestamp, payload: { alert, transition } }: AlertMessage): FeedAlert {
  return {
    key: id, at: timestamp, severity: alert.severity, title: alert.title, message: alert.message, service: alert.service, state: transition?.to ?? alert.state,
    simulated: alert.labels.simulated === 'true',
  };
}

/** Transitions of alerts: those of the store, then as they arrive. */
export function AlertFeed(): ReactNode {
  const history = useAlertHistory();
  const live = useFeed(TOPICS, ofMessage, SHOWN);
  const [severity, setSeverity] = useParameter('severity');
  const known = new Set(live.map((alert) => alert.key));
  const all = [...live, ...(history.data?.items ?? []).map(ofHistory).filter((alert) => !known.has(alert.key))];
  const shown = all.filter((alert) => severity === null || alert.severity === severity).slice(0, SHOWN);
  return (
    <Panel title="Alert feed" count={shown.length} flush
      actions={(
        <select aria-label="Severity" value={severity ?? ''} onChange={(event) => setSeverity(event.target.value)}>
          <option value="">every severity</option>
          {SEVERITIES.map((one) => <option key={one} value={one}>{one}</option>)}
        </select>
      )}>
      {history.error !== null && live.length > 0 && <p className="stale tone-warn" role="status">Earlier ones could not be read: {messageOf(history.error)}</p>}
      {history.error !== null && live.length === 0 && <Failure error={history.error} retry={() => void history.refetch()} />}
      {history.error === null && shown.length === 0 && <Empty title={severity === null ? 'No alert yet' : `No ${severity} alert`}><p>Alerts appear here the moment they are raised.</p></Empty>}
      {shown.length > 0 && (
        <ol className="feed-box alerts" data-feed="alerts" aria-label="Alerts, newest first"
          // A box that scrolls has to be reachable by keyboard.
          // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
          tabIndex={0}>
          {shown.map((alert) => (
            <li key={alert.key} className={`alert severity-${alert.severity}`}>
              <Status word={alert.severity} />
              <strong>{alert.title}</strong>
              <span className="muted alert-age"><Age at={alert.at} suffix=" ago" /></span>
              <p className="muted">
                {alert.simulated && <span className="tag">simulated</span>} {alert.state}{alert.service === null ? '' : ` · ${alert.service}`} · {alert.message}
              </p>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}
