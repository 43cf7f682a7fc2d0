import { memo, type ReactNode } from 'react';
import { Link } from 'react-router';
import type { AlertAction, OpenedAlert } from '../../api/alerts';
import { count, UNKNOWN } from '../../format/numbers';
import { Age } from '../../ui/Age';
import { Status } from '../../ui/Status';
import { valueText } from './alertText';

export interface AlertRowProps {
  readonly alert: OpenedAlert;
  readonly is_leaving: boolean;
  readonly is_selected: boolean;
  /** The keys mean this one. */
  readonly is_marked: boolean;
  /** Why nothing may be done with it; `null` when it may. */
  readonly refusal: string | null;
  readonly onSelect: (id: string) => void;
  readonly onAct: (action: AlertAction, alert: OpenedAlert) => void;
}

export const AlertRow = memo(function AlertRow({ alert, is_leaving, is_selected, is_marked, refusal, onSelect, onAct }: AlertRowProps): ReactNode {
  const is_over = alert.state === 'resolved';
  const { node } = alert.labels;
  const classes = ['alert-row', `severity-${alert.severity}`, is_over ? 'over' : '', is_leaving ? 'leaving' : '', is_marked ? 'marked' : '', is_selected ? 'chosen' : ''];
  return (
    <tr className={classes.filter((name) => name !== '').join(' ')} data-alert={alert.id} data-state={alert.state} aria-current={is_marked || undefined}>
      <td className="alert-pick">
        <input type="checkbox" checked={is_selected} disabled={is_over} aria-label={`Select ${alert.title}`} onChange={() => onSelect(alert.id)} />
      </td>
      <td className="alert-severity"><Status word={alert.severity} /></td>
      <td className="alert-what">
        <Link to={`/alerts/${encodeURIComponent(alert.id)}`} className="alert-title">{alert.title}</Link>
        {alert.labels.synthetic === 'true' && <> <span className="tag synthetic">synthetic</span></>}
        {alert.labels.no_data === 'true' && <> <span className="tag" title="The series sends nothing; its values have an alert of their own">no data</span></>}
        <p className="muted" title={alert.reason}>{alert.reason === '' ? alert.message : alert.reason}</p>
      </td>
      <td className="alert-where">
        {node !== undefined && <Link to={`/nodes/${encodeURIComponent(node)}`}>{node}</Link>}
        {alert.service !== null && <p className="muted">{alert.service}</p>}
        {node === undefined && alert.service === null && <span className="muted">{UNKNOWN}</span>}
      </td>
      <td className="number alert-value">{valueText(alert.value)}</td>
      <td className="number alert-age"><Age at={alert.started_at} /></td>
      <td className="number alert-times">{count(alert.count)}</td>
      <td className="number alert-score"><span title={`Urgency ${alert.score} of 100`}>{alert.score}</span></td>
      <td className="alert-state">
        <Status word={alert.state} />
        {alert.acknowledged_by !== null && !is_over && <p className="muted">{alert.acknowledged_by}</p>}
        {is_over && alert.resolved_at !== null && <p className="muted"><Age at={alert.resolved_at} suffix=" ago" /></p>}
      </td>
      <td className="alert-act">
        {!is_over && (
          <button type="button" className="small" disabled={refusal !== null} title={refusal ?? undefined}
            aria-label={`${alert.state === 'firing' ? 'Acknowledge' : 'Resolve'} ${alert.title}`}
            onClick={() => onAct(alert.state === 'firing' ? 'acknowledge' : 'resolve', alert)}>
            {alert.state === 'firing' ? 'Acknowledge' : 'Resolve'}
          </button>
        )}
      </td>
    </tr>
  );
});
