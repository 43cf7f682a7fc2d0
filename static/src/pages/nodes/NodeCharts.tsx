import type { ReactNode } from 'react';
import { LiveChart, type LiveChartProps } from '../../charts/LiveChart';
import type { SeriesRequest } from '../../charts/useSeries';
import { bytesPerSecond, celsius, decimal, percent, plain, wholePercent } from '../../format/numbers';
import { useSamples } from '../../state/context';
import type { LabelledSample } from '../../state/fleetStore';
import { useRange } from '../../state/view';
import { DiskMeters } from './DiskMeters';
import type { LiveNode } from './liveNode';

type ChartSpec = Omit<LiveChartProps, 'requests' | 'range_ms'>;

const PERCENT = { unit: 'percent', format: percent, axis: wholePercent, max: 100, soft_max: 10 } as const;
const RATE = { unit: 'bytes per second', format: bytesPerSecond, soft_max: 1_000 } as const;

interface TotalSpec extends ChartSpec {
  readonly lines: readonly (readonly [series: string, label: string])[];
}

interface LabelledSpec extends ChartSpec {
  readonly metrics: readonly (readonly [metric: string, suffix: string])[];
  readonly label: string;
  /** Left out on a node that has no such series: a virtual machine without sensors gets no empty chart. */
  readonly optional?: boolean;
}

/**
 * The charts of a node, in order. Those with `lines` show the whole node, which the hub keeps, so they are preloaded;
 * those with `metrics` have one line per value of `label` and begin when the page is opened.
 */
const CHARTS: readonly (TotalSpec | LabelledSpec)[] = [
  { ...PERCENT, title: 'CPU', lines: [['cpu_percent', 'total']] },
  { ...PERCENT, title: 'CPU by core', metrics: [['cpu_core_percent', '']], label: 'core' },
  { ...PERCENT, title: 'Memory', lines: [['memory_percent', 'memory'], ['swap_percent', 'swap']] },
  { title: 'Load', unit: 'runnable tasks', format: decimal, axis: plain, lines: [['load1', '1 min'], ['load5', '5 min'], ['load15', '15 min']] },
  { ...RATE, title: 'Network', lines: [['network_rx_bytes_per_s', 'received'], ['network_tx_bytes_per_s', 'sent']] },
  {
    ...RATE, title: 'Network by interface', label: 'interface',
    metrics: [['network_interface_rx_bytes_per_s', ' received'], ['network_interface_tx_bytes_per_s', ' sent']],
  },
  { ...RATE, title: 'Disk IO', lines: [['disk_read_bytes_per_s', 'read'], ['disk_write_bytes_per_s', 'written']] },
  { ...PERCENT, title: 'Disk space by mount', metrics: [['disk_space_percent', '']], label: 'mount' },
  {
    title: 'Temperatures', unit: 'degrees Celsius', format: celsius, soft_max: 60, metrics: [['temperature_celsius', '']], label: 'sensor',
    optional: true,
  },
];

export function NodeCharts({ node }: { readonly node: LiveNode }): ReactNode {
  const [range] = useRange();
  const samples = useSamples(node.id);
  return (
    <>
      <div className="chart-grid">
        {CHARTS.map((spec) => ('lines' in spec
          ? <TotalChart key={spec.title} node={node} spec={spec} range_ms={range.ms} />
          : <LabelledChart key={spec.title} node={node.id} spec={spec} samples={samples} range_ms={range.ms} />))}
      </div>
      <DiskMeters samples={samples} />
    </>
  );
}

interface TotalChartProps {
  readonly node: LiveNode;
  readonly spec: TotalSpec;
  readonly range_ms: number;
}

function TotalChart({ node, spec, range_ms }: TotalChartProps): ReactNode {
  const { lines, ...chart } = spec;
  // Without swap there is no share of it in use: a line at zero would say otherwise.
  const shown = node.metrics.swap_total_bytes === 0 ? lines.filter(([series]) => series !== 'swap_percent') : lines;
  return (
    <section className="panel" aria-label={spec.title}>
      <LiveChart {...chart} range_ms={range_ms} requests={shown.map(([series, label]) => ({ node: node.id, series, label, has_history: true }))} />
    </section>
  );
}

interface LabelledChartProps {
  readonly node: string;
  readonly spec: LabelledSpec;
  readonly samples: readonly LabelledSample[];
  readonly range_ms: number;
}

function LabelledChart({ node, spec, samples, range_ms }: LabelledChartProps): ReactNode {
  const { metrics, label, optional = false, ...chart } = spec;
  const requests = metrics.flatMap(([metric, suffix]) => samples
    .filter((sample) => sample.name === metric)
    .map((sample): SeriesRequest => ({
      node, series: sample.series, label: `${sample.labels[label] ?? sample.series}${suffix}`, has_history: false,
    }))).sort((left, right) => left.label.localeCompare(right.label, 'en', { numeric: true }));
  if (requests.length === 0 && optional) return null;
  return (
    <section className="panel" aria-label={spec.title}>
      <LiveChart {...chart} requests={requests} range_ms={range_ms} aside={<span className="muted">since this page was opened</span>} />
    </section>
  );
}
