import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { PRIORITIES, type Performance, type Priority } from '../../api/delivery';
import { LiveChart } from '../../charts/LiveChart';
import { count } from '../../format/numbers';
import { milliseconds } from '../../format/times';
import { HUB } from '../../state/useHubSeries';
import { useParameter, useRange } from '../../state/view';
import { Loaded } from '../../ui/Panel';
import { ScrollBox } from '../../ui/ScrollBox';
import { Segments } from '../../ui/Segments';
import { PERCENTILES } from './series';

const CHOICES = PRIORITIES.map((priority) => [priority, priority] as const);

/** From publishing to the socket, by priority: the present percentiles, and their course since the page was opened. */
export function LatencyPanel({ query }: { readonly query: UseQueryResult<Performance> }): ReactNode {
  const [range] = useRange();
  const [chosen, choose] = useParameter('priority');
  const priority = PRIORITIES.find((known) => known === chosen) ?? 'normal';
  return (
    <section className="panel latency" aria-label="Delivery latency">
      <LiveChart title="Delivery latency" unit="milliseconds" format={milliseconds} range_ms={range.ms} height={294} soft_max={1}
        requests={PERCENTILES.map((name) => ({ node: HUB, series: `latency_${priority}_${name}`, label: `${priority} ${name}`, has_history: false }))}
        aside={<Segments label="Priority" value={priority} choices={CHOICES} onChoose={(value) => choose(value === 'normal' ? null : value)} />} />
      <Loaded query={query} rows={3}>{(figures) => <PercentileTable figures={figures} chosen={priority} />}</Loaded>
    </section>
  );
}

function PercentileTable({ figures: { latency }, chosen }: { readonly figures: Performance; readonly chosen: Priority }): ReactNode {
  return (
    <ScrollBox label="Latency by priority" kind="table-box">
      <table className="data fitted">
        <caption className="visually-hidden">Latency by priority over the last {latency.window_s} s</caption>
        <thead>
          <tr>
            <th scope="col">Last {latency.window_s} s</th><th scope="col" className="number">Messages</th>
            {['p50', 'p95', 'p99', 'p99.9', 'max'].map((name) => <th key={name} scope="col" className="number">{name}</th>)}
          </tr>
        </thead>
        <tbody>
          {PRIORITIES.map((priority) => {
            const row = latency.by_priority[priority];
            return (
              <tr key={priority} className={priority === chosen ? 'chosen' : undefined} data-latency={priority}>
                <td>{priority}</td>
                <td className="number">{count(row?.count ?? (row === null ? 0 : null))}</td>
                {(['p50', 'p95', 'p99', 'p99_9', 'max'] as const).map((name) => <td key={name} className="number">{milliseconds(row?.[name])}</td>)}
              </tr>
            );
          })}
        </tbody>
      </table>
    </ScrollBox>
  );
}
