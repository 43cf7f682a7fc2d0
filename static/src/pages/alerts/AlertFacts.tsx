import type { ReactNode } from 'react';
import { Link } from 'react-router';
import type { Labels, OpenedAlert } from '../../api/alerts';
import type { Rule } from '../../api/rules';
import { count } from '../../format/numbers';
import { dateAndClock } from '../../format/times';
import { Countdown } from '../../ui/Countdown';
import { Facts } from '../../ui/Facts';
import { Icon } from '../../ui/icons';
import { ruleWords } from '../rules/ruleWords';
import { actorText, valueText } from './alertText';

/** What is known of an alert, name by name. */
export function AlertFacts({ alert, rule }: { readonly alert: OpenedAlert; readonly rule: Rule | null }): ReactNode {
  const { node } = alert.labels;
  const runbook = rule?.runbook_url ?? alert.annotations.runbook_url;
  const when = (name: string, at: string | null): (readonly [string, ReactNode])[] => (at === null ? [] : [[name, dateAndClock(at)]]);
  return (
    <div className="alert-facts">
      {alert.rule_id !== null && (
        <p className="alert-rule">
          <Link to={`/rules/${encodeURIComponent(alert.rule_id)}`}>{alert.rule_name ?? alert.rule_id}</Link>
          {rule !== null && <span className="muted">{ruleWords(rule)}</span>}
        </p>
      )}
      {runbook !== undefined && /^https?:\/\//.test(runbook) && (
        <p><a href={runbook} target="_blank" rel="noreferrer" className="runbook"><Icon name="link" size={13} />Run book</a></p>
      )}
      <Facts rows={[
        ['Value', valueText(alert.value)],
        ...(node === undefined ? [] : [['Node', <Link key="node" to={`/nodes/${encodeURIComponent(node)}`}>{node}</Link>] as const]),
        ...(alert.service === null ? [] : [['Service', <Link key="service" to={`/alerts?service=${encodeURIComponent(alert.service)}`}>{alert.service}</Link>] as const]),
        ['Breaches', count(alert.count)],
        ...when('Began', alert.started_at),
        ...when('Fired', alert.fired_at),
        ...when('Acknowledged', alert.acknowledged_at),
        ...(alert.state === 'suppressed' && alert.suppressed_until !== null ? [['Suppressed for', <Countdown key="until" until={alert.suppressed_until} />] as const] : []),
        ...when('Notified', alert.notified_at),
        ...(alert.escalation_level > 0 ? [['Escalated to level', count(alert.escalation_level)] as const] : []),
        ...(typeof alert.ends_at !== 'string' || alert.state === 'resolved' ? [] : [['Ends in, unless posted again', <Countdown key="ends" until={alert.ends_at} />] as const]),
        ...when('Resolved', alert.resolved_at),
        ...(alert.resolved_by === null ? [] : [['Resolved by', actorText(alert.resolved_by)] as const]),
      ]} />
      <Pairs title="Labels" pairs={alert.labels} has_links />
      <Pairs title="Annotations" pairs={alert.annotations} />
    </div>
  );
}

/** Names and texts; labels lead to the alerts that have the same. */
function Pairs({ title, pairs, has_links = false }: { readonly title: string; readonly pairs: Labels; readonly has_links?: boolean }): ReactNode {
  const entries = Object.entries(pairs);
  if (entries.length === 0) return null;
  return (
    <section>
      <h3 className="sub">{title}</h3>
      <Facts rows={entries.map(([name, value]) => [
        name, has_links ? <Link key={name} to={`/alerts?state=all&label=${encodeURIComponent(`${name}=${value}`)}`}>{value === '' ? '(empty)' : value}</Link> : value,
      ])} />
    </section>
  );
}
