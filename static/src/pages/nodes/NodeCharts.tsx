import { useMemo, type ReactNode } from 'react';
import { LiveChart, type LiveChartProps } from '../../charts/LiveChart';
import type { SeriesRequest } from '../../charts/useSeries';
import { bytesPerSecond, celsius, decimal, percent } from '../../format/numbers';
import { useSamples } from '../../state/context';
import type { LabelledSample } from '../../state/fleetStore';
import { useRange } from '../../state/view';
import { DiskMeters } from './DiskMeters';
import type { LiveNode } from './liveNode';

type ChartSpec = Omit<LiveChartProps, 'requests' | 'range_ms'>;

const PERCENT = { unit: 'percent', format: percent, max: 100, soft_max: 10 } as const;
const RATE = { unit: 'bytes per second', format: bytesPerSecond, soft_max: 1_000 } as const;

/** Charts of the whole node: the hub keeps these series, so they are preloaded. */
const TOTALS: readonly (ChartSpec & { readonly lines: readonly (readonly [series: string, label: string])[] })[] = [
  { ...PERCENT, title: 'CPU', lines: [['cpu_percent', 'total']] },
  { ...PERCENT, title: 'Memory', lines: [['memory_percent', 'memory'], ['swap_percent', 'swap']] },
  { ...RATE, title: 'Network', lines: [['network_rx_bytes_per_s', 'received'], ['network_tx_bytes_per_s', 'sent']] },
  { ...RATE, title: 'Disk IO', lines: [['disk_read_bytes_per_s', 'read'], ['disk_write_bytes_per_s', 'written']] },
  { title: 'Load', unit: 'runnable tasks', format: decimal, lines: [['load1', '1 min'], ['load5', '5 min'], ['load15', '15 min']] },
];

/** Charts with one line per label value: they begin when the page is opened. */
const LABELLED: readonly (ChartSpec & { readonly metrics: readonly (readonly [metric: string, suffix: string])[]; readonly label: string })[] = [
  { ...PERCENT, title: 'CPU by core', metrics: [['cpu_core_percent', '']], label: 'core' },
  { ...PERCENT, title: 'Disk space by mount', metrics: [['disk_space_percent', '']], label: 'mount' },
  {
    ...RATE, title: 'Network by interface',
    metrics: [['network_interface_rx_bytes_per_s', ' received'], ['network_interface_tx_bytes_per_s', ' sent']], label: 'interface',
  },
  { title: 'Temperatures', unit: 'degrees Celsius', format: celsius, soft_max: 60, metrics: [['temperature_celsius', '']], label: 'sensor' },
];

export function NodeCharts({ node }: { readonly node: LiveNode }): ReactNode {
  const [range] = useRange();
  const samples = useSamples(node.id);
  const has_swap = (node.metrics.swap_total_bytes ?? 1) > 0;
  return (
    <>
      <div className="chart-grid">
        {TOTALS.map(({ lines, ...spec }) => (
          <section key={spec.title} className="panel" aria-label={spec.title}>
            <LiveChart {...spec} range_ms={range.ms}
              requests={lines.filter(([series]) => has_swap || series !== 'swap_percent')
                .map(([series, label]) => ({ node: node.id, series, label, has_history: true }))} />
          </section>
        ))}
        {LABELLED.map(({ metrics, label, ...spec }) => (
          <LabelledChart key={spec.title} node={node.id} samples={samples} metrics={metrics} label={label} spec={spec} range_ms={range.ms} />
        ))}
      </div>
      <DiskMeters samples={samples} />
    </>
  );
}

interface LabelledChartProps {
  readonly node: string;
  readonly samples: readonly LabelledSample[];
  readonly metrics: readonly (readonly [metric: string, suffix: string])[];
  readonly label: string;
  readonly spec: ChartSpec;
  readonly range_ms: number;
}

/** Not there when the node has no such series: a virtual machine without sensors gets no empty chart. */
function LabelledChart({ node, samples, metrics, label, spec, range_ms }: LabelledChartProps): ReactNode {
  const requests = useMemo(() => metrics.flatMap(([metric, suffix]) => samples
    .filter((sample) => sample.name === metric)
    .map((sample): SeriesRequest => ({
      node, series: sample.series, label: `${sample.labels[label] ?? sample.series}${suffix}`, has_history: false,
    }))
    .sort((left, right) => left.label.localeCompare(right.label, 'en', { numeric: true }))), [node, samples, metrics, label]);
  if (requests.length === 0) return null;
  return (
    <section className="panel" aria-label={spec.title}>
      <LiveChart {...spec} requests={requests} range_ms={range_ms} aside={<span className="muted">since this page was opened</span>} />
    </section>
  );
}

