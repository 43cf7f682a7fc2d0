import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { useAlertStatistics, useMostUrgent } from '../../api/alertQueries';
import type { OpenedAlert } from '../../api/alerts';
import { count } from '../../format/numbers';
import { useLiveAlerts } from '../../state/context';
import { Age } from '../../ui/Age';
import { Empty, Loaded, Panel } from '../../ui/Panel';
import { Status } from '../../ui/Status';

const SHOWN = 5;

/** What fires and is most urgent. */
export function ActiveAlerts(): ReactNode {
  const urgent = useMostUrgent();
  const statistics = useAlertStatistics().data;
  const live = useLiveAlerts();
  const firing = statistics === undefined ? undefined : (statistics.by_state.firing ?? 0) + (statistics.by_state.acknowledged ?? 0);
  // What was heard to be over is gone at once; the list is read again right after.
  const newest = (alert: OpenedAlert): OpenedAlert => {
    const heard = live.get(alert.id)?.alert;
    return heard !== undefined && heard.version > alert.version ? heard : alert;
  };
  const shown = (urgent.data?.items ?? []).map(newest).filter((alert) => alert.state === 'firing' || alert.state === 'acknowledged');
  return (
    <Panel title="Active alerts" count={firing} flush actions={<Link to="/alerts">All alerts</Link>}>
      <Loaded query={urgent} rows={3}>
        {() => (shown.length === 0 ? <Empty title="Nothing fires" /> : (
          <ul className="active-alerts">
            {shown.slice(0, SHOWN).map((alert) => (
              <li key={alert.id}>
                <Link to={`/alerts/${encodeURIComponent(alert.id)}`} className="active-alert" data-active-alert={alert.id}>
                  <Status word={alert.severity} />
                  <strong>{alert.title}</strong>
                  <Age at={alert.started_at} />
                  <span className="muted">{alert.labels.synthetic === 'true' && <><span className="tag synthetic">synthetic</span> </>}{alert.state === 'acknowledged' ? `${alert.acknowledged_by ?? ''} has it: ` : ''}{alert.reason === '' ? alert.message : alert.reason}</span>
                </Link>
              </li>
            ))}
            {firing !== undefined && firing > SHOWN && <li className="panel-foot muted">and {count(firing - SHOWN)} more</li>}
          </ul>
        ))}
      </Loaded>
    </Panel>
  );
}
