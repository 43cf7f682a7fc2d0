import type { ReactNode } from 'react';
import { usePerformance, usePerformanceStats } from '../../api/deliveryQueries';
import type { Performance as Figures } from '../../api/delivery';
import { useHubSeries } from '../../state/useHubSeries';
import { Loaded, Panel } from '../../ui/Panel';
import { Breakers } from './Breakers';
import { Causes } from './Causes';
import { LatencyPanel } from './LatencyPanel';
import { PerformanceTiles } from './PerformanceTiles';
import './performance.css';
import { Mailboxes, Pools } from './Pools';
import { MemoryChart, QueueChart } from './QueueCharts';
import { seriesOf } from './series';

/** How the hub itself fares: how long messages take, what waits where, what is refused. */
export default function Performance(): ReactNode {
  const query = usePerformance();
  const stats = usePerformanceStats();
  useHubSeries(query.data?.timestamp, query.data === undefined ? {} : seriesOf(query.data));
  const loaded = (show: (figures: Figures) => ReactNode, rows = 4): ReactNode => <Loaded query={query} rows={rows}>{show}</Loaded>;
  return (
    <>
      <PerformanceTiles figures={query.data ?? null} />
      <Panel title="Breakers">{loaded((figures) => <Breakers breakers={figures.breakers} />)}</Panel>
      <div className="performance-charts">
        <LatencyPanel query={query} />
        <QueueChart />
        <MemoryChart />
      </div>
      <div className="performance-pools">
        <Panel title="Pools">{loaded((figures) => <Pools figures={figures} />)}</Panel>
        <Panel title="Mailboxes" count={query.data?.pools.mailboxes.length} flush>{loaded((figures) => <Mailboxes figures={figures} />, 6)}</Panel>
      </div>
      <Panel title="Counted by cause">
        {loaded((figures) => <Causes figures={figures} stats={stats.data ?? null} error={stats.error} />, 4)}
      </Panel>
    </>
  );
}
