import { useCallback, useMemo, useState, type ReactNode } from 'react';
import type { UseQueryResult } from '@tanstack/react-query';
import type { AlertHour, AlertStatistics } from '../../api/alerts';
import { StaticPlot } from '../../charts/StaticPlot';
import { count } from '../../format/numbers';
import { unixMs } from '../../format/times';
import { useParameter } from '../../state/view';
import { Empty, Loaded, Panel } from '../../ui/Panel';
import { minutesText } from './alertText';
import { hourText, trendColumns, trendOptions } from './trendPlot';

const NOISY_SHOWN = 5;

/** The last 24 hours: how fast alerts are taken in hand, how many there were, and which rules make them. */
export function Statistics({ query }: { readonly query: UseQueryResult<AlertStatistics> }): ReactNode {
  return (
    <Panel title="Last 24 hours">
      <Loaded query={query} rows={3}>
        {(statistics) => (
          <div className="alert-statistics">
            <Means statistics={statistics} />
            <Trend hours={statistics.trend} />
            <Noisiest statistics={statistics} />
          </div>
        )}
      </Loaded>
    </Panel>
  );
}

function Means({ statistics }: { readonly statistics: AlertStatistics }): ReactNode {
  const sum = (of: (hour: AlertHour) => number): number => statistics.trend.reduce((total, hour) => total + of(hour), 0);
  const rows: readonly (readonly [string, string, string])[] = [
    ['MTTA', minutesText(statistics.mtta_minutes), 'Mean time from firing to acknowledgement (MTTA)'],
    ['MTTR', minutesText(statistics.mttr_minutes), 'Mean time from firing to resolution (MTTR)'],
    ['Fired', count(sum((hour) => hour.fired)), 'Alerts that fired within the last 24 hours'],
    ['Resolved', count(sum((hour) => hour.resolved)), 'Alerts that were resolved within the last 24 hours'],
  ];
  return (
    <dl className="alert-means">
      {rows.map(([name, value, meaning]) => (
        <div key={name}>
          <dt><abbr title={meaning}>{name}</abbr></dt>
          <dd data-figure={name}>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Trend({ hours }: { readonly hours: readonly AlertHour[] }): ReactNode {
  const columns = useMemo(() => trendColumns(hours), [hours]);
  const build = useCallback(() => trendOptions(), []);
  const [at, setAt] = useState<number | null>(null);
  const hour = at === null ? undefined : hours.find((one) => Math.abs((unixMs(one.hour) ?? 0) / 1000 + 1_800 - at) <= 1_800);
  return (
    <figure className="alert-trend">
      <figcaption>
        <span className="trend-key fired" aria-hidden="true" />fired <span className="trend-key resolved" aria-hidden="true" />resolved
        <span className="muted" aria-live="polite">{hour === undefined ? 'each hour' : `${hourText(hour)}: ${count(hour.fired)} fired, ${count(hour.resolved)} resolved`}</span>
      </figcaption>
      <StaticPlot label={`Alerts by hour: ${hours.map((one) => `${hourText(one)} ${one.fired} fired, ${one.resolved} resolved`).join('; ')}`}
        columns={columns} height={96} build={build} onCursor={setAt} />
    </figure>
  );
}

function Noisiest({ statistics }: { readonly statistics: AlertStatistics }): ReactNode {
  const [, setRule] = useParameter('rule');
  const most = Math.max(1, ...statistics.noisiest.map((rule) => rule.fired));
  return (
    <div className="alert-noisiest">
      <h3>Noisiest rules</h3>
      {statistics.noisiest.length === 0 ? <Empty title="No rule fired" /> : (
        <ul>
          {statistics.noisiest.slice(0, NOISY_SHOWN).map((rule) => (
            <li key={rule.rule_id}>
              <button type="button" className="link" title={`Alerts of ${rule.rule_name ?? rule.rule_id}`} onClick={() => setRule(rule.rule_id)}>{rule.rule_name ?? rule.rule_id}</button>
              <span className="noise" aria-hidden="true"><span style={{ transform: `scaleX(${(rule.fired / most).toFixed(3)})` }} /></span>
              <span className="number">{count(rule.fired)}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
