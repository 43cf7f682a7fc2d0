import { useQuery } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from 'react';
import type { OpenedAlert } from '../../api/alerts';
import type { ApiClient } from '../../api/client';
import { ApiError } from '../../api/problem';
import { useExplanation } from '../../api/ruleQueries';
import type { Rule } from '../../api/rules';
import type { History } from '../../api/types';
import type { Columns } from '../../charts/align';
import { StaticPlot } from '../../charts/StaticPlot';
import { clock, dateAndClock, unixMs } from '../../format/times';
import { useConnection, useServices } from '../../state/context';
import { useNow } from '../../state/ticker';
import { usePaused } from '../../state/view';
import { Failure, Panel } from '../../ui/Panel';
import { limitOf, metricsOf } from '../rules/ruleWords';
import { breachOptions, type BreachView } from './breachPlot';
import { valueText } from './alertText';

const POINTS = 600;
const BEFORE_MS = 15 * 60_000;
const LEAST_BEFORE_MS = 60_000;
const AFTER_MS = 5 * 60_000;
const SPAN_MS_MAX = 24 * 3_600_000;
const REREAD_MS = 5_000;
const HEIGHT = 220;

interface AlertChartProps {
  readonly alert: OpenedAlert;
  readonly rule: Rule | null;
}

/** The metrics of the rule around the breach, where the hub keeps them: those of a whole node. */
export function AlertChart({ alert, rule }: AlertChartProps): ReactNode {
  const { node } = alert.labels;
  // An expression names its metrics in a language of its own; the hub knows which they are.
  const of_expression = rule !== null && metricsOf(rule).length === 0;
  const explained = useExplanation(of_expression ? rule.id : null).data?.items.find((item) => item.fingerprint === alert.fingerprint);
  if (rule === null || node === undefined) return null;
  const metrics = of_expression ? (explained?.metric?.split(',') ?? []) : metricsOf(rule);
  return metrics.slice(0, 3).map((metric) => <MetricChart key={metric} alert={alert} node={node} metric={metric} limit={limitOf(rule, metric)} />);
}

interface MetricChartProps {
  readonly alert: OpenedAlert;
  readonly node: string;
  readonly metric: string;
  readonly limit: number | null;
}

function MetricChart({ alert, node, metric, limit }: MetricChartProps): ReactNode {
  const { api } = useServices();
  const paused = usePaused();
  const skew_ms = useConnection().clock_skew_ms;
  const now_ms = useNow() + skew_ms;
  const started_ms = unixMs(alert.started_at) ?? 0;
  const resolved_ms = unixMs(alert.resolved_at);
  const [at, setAt] = useState<number | null>(null);
  const query = useQuery({
    queryKey: ['alerts', 'chart', node, metric, alert.id],
    queryFn: ({ signal }) => readAround(api, { node, metric, started_ms, resolved_ms, skew_ms }, signal),
    // An end that just passed is followed for a moment: the chart shows the time after it too.
    refetchInterval: paused ? false : resolved_ms === null || now_ms - resolved_ms < AFTER_MS ? REREAD_MS : false,
    retry: false,
  });
  const points = query.data?.points;
  const columns = useMemo((): Columns => [(points ?? []).map(([ms]) => ms / 1000), (points ?? []).map(([, value]) => value)], [points]);
  const view = useRef<BreachView>({ from_s: 0, until_s: 1, limit: null, breach: null, fired_s: null });
  const [since_ms, until_ms] = spanOf(started_ms, resolved_ms, now_ms);
  const fired_ms = unixMs(alert.fired_at);
  // A hub that is younger than the span has nothing to show of the time before it.
  const first_ms = points?.find(([, value]) => value !== null)?.[0] ?? since_ms;
  const from_ms = Math.max(since_ms, Math.min(first_ms, started_ms - LEAST_BEFORE_MS));
  useEffect(() => {
    view.current = {
      from_s: from_ms / 1000, until_s: until_ms / 1000, limit, breach: [started_ms / 1000, (resolved_ms ?? until_ms) / 1000], fired_s: fired_ms === null ? null : fired_ms / 1000,
    };
  }, [from_ms, until_ms, limit, started_ms, resolved_ms, fired_ms]);
  const build = useCallback(() => breachOptions(() => view.current), []);
  const is_unknown = query.error instanceof ApiError && query.error.status === 404;
  const empty = points?.every(([, value]) => value === null) ?? true;
  const pointed = at === null ? undefined : points?.findLast(([ms, value]) => ms / 1000 <= at && value !== null);
  return (
    <Panel title={`${metric} of ${node}`}
      actions={<span className="muted" aria-live="polite">{pointed === undefined ? legendText(limit) : `${clock(pointed[0])}: ${valueText(pointed[1])}`}</span>}>
      {query.error !== null && !is_unknown && query.data === undefined ? <Failure error={query.error} retry={() => void query.refetch()} /> : (
        <div className="chart-body">
          <StaticPlot label={`${metric} of ${node} around ${dateAndClock(alert.started_at)}${limit === null ? '' : `, limit ${valueText(limit)}`}`}
            columns={columns} height={HEIGHT} build={build} onCursor={setAt} />
          {empty && <p className="chart-note">{query.isPending ? 'Loading…' : 'The hub keeps no such series of the node around that time'}</p>}
        </div>
      )}
    </Panel>
  );
}

interface Around {
  readonly node: string;
  readonly metric: string;
  readonly started_ms: number;
  readonly resolved_ms: number | null;
  readonly skew_ms: number;
}

function readAround(api: ApiClient, { node, metric, started_ms, resolved_ms, skew_ms }: Around, signal: AbortSignal): Promise<History> {
  const [since_ms, until_ms] = spanOf(started_ms, resolved_ms, Date.now() + skew_ms);
  return api.get<History>('/api/v1/streaming/metrics/history', {
    node, metric, since: new Date(since_ms).toISOString(), until: new Date(until_ms).toISOString(), points: POINTS,
  }, signal);
}

function legendText(limit: number | null): string {
  return limit === null ? 'shaded: from the first breach on' : `dashed: the limit ${valueText(limit)}; shaded: from the first breach on`;
}

/** A while before the start until a while after the end, or until now. */
function spanOf(started_ms: number, resolved_ms: number | null, now_ms: number): [number, number] {
  const until_ms = resolved_ms === null ? now_ms : Math.min(now_ms, resolved_ms + AFTER_MS);
  const since_ms = started_ms - BEFORE_MS;
  return [Math.max(since_ms, until_ms - SPAN_MS_MAX), until_ms];
}
