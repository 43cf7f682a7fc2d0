import { useEffect, useState, type ReactNode } from 'react';
import { Link, useParams } from 'react-router';
import { useAlert } from '../../api/alertQueries';
import type { AlertAction, OpenedAlert } from '../../api/alerts';
import { ApiError } from '../../api/problem';
import { useRule } from '../../api/ruleQueries';
import { duration, unixMs } from '../../format/times';
import { useConnection, useLiveAlerts } from '../../state/context';
import { useRefusal } from '../../state/role';
import { useNow } from '../../state/ticker';
import { Age } from '../../ui/Age';
import { DataAge } from '../../ui/DataAge';
import { Icon } from '../../ui/icons';
import { Empty, Loaded, Panel } from '../../ui/Panel';
import { usePageKeys } from '../../ui/shell/pageKeys';
import { Status } from '../../ui/Status';
import { ActDialog, type Intent } from './ActDialog';
import { AlertChart } from './AlertChart';
import { AlertFacts } from './AlertFacts';
import './alert.css';
import './steps.css';
import { newer } from './merging';
import { SilenceLike } from './SilenceLike';
import { Timeline } from './Timeline';
import { Why } from './Why';

/** One alert: what happened, why, who did what, and what can be done. */
export default function AlertPage(): ReactNode {
  const { id = '' } = useParams();
  const query = useAlert(id);
  if (query.error instanceof ApiError && query.error.status === 404) {
    return <Empty title="There is no such alert"><p>Resolved ones are forgotten after a time.</p><Link to="/alerts">All alerts</Link></Empty>;
  }
  return <Loaded query={query} rows={8}>{(alert) => <Detail key={alert.id} read={alert} read_at_ms={query.dataUpdatedAt} />}</Loaded>;
}

function Detail({ read, read_at_ms }: { readonly read: OpenedAlert; readonly read_at_ms: number }): ReactNode {
  const alert = newer(read, useLiveAlerts().get(read.id));
  const rule = useRule(alert.rule_id);
  useEffect(() => {
    document.title = `${alert.title} · InfraWatch`;
  }, [alert.title]);
  return (
    <>
      <Head alert={alert} read_at_ms={read_at_ms} />
      <div className="alert-page">
        <div className="alert-main">
          <AlertChart alert={alert} rule={rule.data ?? null} />
          <Timeline alert={alert} />
          {alert.rule_id !== null && <Why alert={alert} />}
        </div>
        <Panel title="About it"><AlertFacts alert={alert} rule={rule.data ?? null} /></Panel>
      </div>
    </>
  );
}

function Head({ alert, read_at_ms }: { readonly alert: OpenedAlert; readonly read_at_ms: number }): ReactNode {
  const [intent, setIntent] = useState<Intent | null>(null);
  const refusal = useRefusal('acknowledge and resolve alerts');
  const is_over = alert.state === 'resolved';
  const act = (action: AlertAction): void => {
    if (!is_over && refusal === null) setIntent({ action, alerts: [alert] });
  };
  usePageKeys({ a: () => act('acknowledge'), r: () => act('resolve') });
  return (
    <section className={`panel alert-head severity-${alert.severity}${is_over ? ' over' : ''}`} aria-label="Alert" data-alert={alert.id} data-state={alert.state}>
      <div className="alert-head-line">
        <Link to="/alerts">All alerts</Link>
        <Status word={alert.severity} />
        <Status word={alert.state} />
        {alert.acknowledged_by !== null && !is_over && <span className="muted">by {alert.acknowledged_by}</span>}
        {alert.labels.synthetic === 'true' && <span className="tag synthetic">synthetic</span>}
        <span className="muted" title="Urgency from 0 to 100">score {alert.score}</span>
        <DataAge read_at_ms={read_at_ms} />
      </div>
      <div className="alert-head-title">
        <div>
          <h2>{alert.title}</h2>
          {alert.message !== '' && alert.message !== alert.title && <p>{alert.message}</p>}
          {alert.reason !== '' && !alert.message.includes(alert.reason) && <p className="mono">{alert.reason}</p>}
          <p className="muted"><Span alert={alert} /></p>
        </div>
        <div className="alert-head-actions">
          <button type="button" className="primary" disabled={is_over || alert.state === 'acknowledged' || refusal !== null} title={refusal ?? undefined} onClick={() => act('acknowledge')}>
            <Icon name="check" size={14} />Acknowledge <kbd>a</kbd>
          </button>
          <button type="button" disabled={is_over || refusal !== null} title={refusal ?? undefined} onClick={() => act('resolve')}>Resolve <kbd>r</kbd></button>
          <SilenceLike alert={alert} />
        </div>
      </div>
      <ActDialog intent={intent} close={() => setIntent(null)} />
    </section>
  );
}

/** How long it has lasted, or lasted. */
function Span({ alert }: { readonly alert: OpenedAlert }): ReactNode {
  const now_ms = useNow() + useConnection().clock_skew_ms;
  const started_ms = unixMs(alert.started_at) ?? now_ms;
  const resolved_ms = unixMs(alert.resolved_at);
  if (resolved_ms !== null) {
    return <>lasted {duration((resolved_ms - started_ms) / 1000)}, resolved <Age at={alert.resolved_at} suffix=" ago" /></>;
  }
  return <>began <Age at={alert.started_at} suffix=" ago" />, {alert.count} {alert.count === 1 ? 'breach' : 'breaches'}, the newest <Age at={alert.last_breach_at} suffix=" ago" /></>;
}
