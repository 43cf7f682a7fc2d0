import { useEffect, useEffectEvent, useId, useRef, useState, type ReactNode } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useConnection } from '../state/context';
import { clock } from '../format/times';
import { UNKNOWN } from '../format/numbers';
import { useTheme } from '../theme/theme';
import { align, gapOf, type Columns } from './align';
import './chart.css';
import { ChartLegend } from './ChartLegend';
import { ChartTable } from './ChartTable';
import { observeWidth, useDrawLoop } from './drawLoop';
import { moveCursor } from './keyboardCursor';
import { plotOptions } from './plotOptions';
import { useSeries, windowOf, type ChartLine, type SeriesRequest } from './useSeries';

export interface LiveChartProps {
  readonly title: string;
  /** Said to screen readers after the title: `percent`, `bytes per second`. */
  readonly unit: string;
  readonly format: (value: number) => string;
  /** The same for the scale, where round numbers need fewer digits. */
  readonly axis?: (value: number) => string;
  readonly requests: readonly SeriesRequest[];
  readonly range_ms: number;
  readonly max?: number;
  readonly soft_max?: number;
  readonly height?: number;
  readonly aside?: ReactNode;
}

const EMPTY: Columns = [[]];
const ANNOUNCE_AFTER_MS = 500;

export function LiveChart(props: LiveChartProps): ReactNode {
  const { title, unit, format, axis = format, range_ms, max, soft_max = 1, height = 180, aside } = props;
  const lines = useSeries(props.requests, range_ms);
  const { theme } = useTheme();
  const skew_ms = useConnection().clock_skew_ms;
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const legend = useRef<HTMLDivElement>(null);
  const columns = useRef<Columns>(EMPTY);
  const [filling, setFilling] = useState<'loading' | 'failed' | 'empty' | 'filled'>('loading');
  const [table_open, setTableOpen] = useState(false);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [announcement, setAnnouncement] = useState('');
  const title_id = useId();
  const table_id = useId();

  const showValues = (chart: uPlot): void => {
    const index = chart.cursor.idx ?? null;
    const spans = legend.current?.querySelectorAll<HTMLElement>('[data-value]') ?? [];
    spans.forEach((span, position) => {
      const value = index === null ? currentOf(lines[position], Date.now() + skew_ms) : valueNear(columns.current, position + 1, index);
      span.textContent = typeof value === 'number' ? format(value) : UNKNOWN;
    });
    const at_s = index === null ? undefined : columns.current[0][index];
    const time = legend.current?.querySelector<HTMLElement>('[data-time]');
    if (time) time.textContent = at_s === undefined ? '' : clock(at_s * 1000);
  };
  const onCursor = useEffectEvent(showValues);

  const draw = (): void => {
    const chart = plot.current;
    if (chart === null) return;
    const until_ms = Date.now() + skew_ms;
    const since_ms = until_ms - windowOf(lines, range_ms, until_ms);
    const data = align(lines.map((line) => line.series.buffer), since_ms, until_ms);
    columns.current = data;
    chart.batch(() => {
      chart.setData(data, false);
      chart.setScale('x', { min: since_ms / 1000, max: until_ms / 1000 });
    });
    showValues(chart);
    setFilling(fillingOf(lines));
  };
  useDrawLoop(draw);
  const drawAtOnce = useEffectEvent(draw);

  const labels = lines.map((line) => line.label).join('\n');
  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const chart = new uPlot(
      plotOptions({
        labels: labels === '' ? [] : labels.split('\n'), width: element.clientWidth || 300, height, max, soft_max,
        axis, sync: 'page', onCursor, binary: unit === 'bytes',
      }),
      [[]] as unknown as uPlot.AlignedData,
      element,
    );
    plot.current = chart;
    const unobserve = observeWidth(element, (width) => chart.setSize({ width, height }));
    drawAtOnce();
    return () => {
      unobserve();
      chart.destroy();
      plot.current = null;
    };
  }, [labels, height, max, soft_max, axis, unit, theme]);

  useEffect(() => {
    lines.forEach((line, index) => plot.current?.setSeries(index + 1, { show: !hidden.has(line.label) }));
  }, [hidden, lines, theme]);

  const announce = useRef<ReturnType<typeof setTimeout> | null>(null);
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const chart = plot.current;
    if (chart === null || event.target !== event.currentTarget) return;
    const index = moveCursor(chart, columns.current, event.key);
    if (index === undefined) return;
    event.preventDefault();
    if (announce.current !== null) clearTimeout(announce.current);
    if (index === null) return;
    const text = spoken(columns.current, lines.map((line) => line.label), index, format);
    announce.current = setTimeout(() => setAnnouncement(text), ANNOUNCE_AFTER_MS);
  };

  return (
    <figure className="chart" aria-labelledby={title_id}>
      <figcaption className="chart-head">
        <h3 id={title_id}>{title}</h3>
        {aside}
        <button type="button" className="quiet small" aria-expanded={table_open} aria-controls={table_id}
          aria-label={`${title}: table of values`} onClick={() => setTableOpen(!table_open)}>
          Table
        </button>
      </figcaption>
      <div className="chart-body">
        {/* The plot takes the arrow keys itself, which is what the role says. */}
        {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions */}
        <div ref={host} className="chart-plot" style={{ height }} role="application" aria-roledescription="chart"
          aria-label={`${title}, ${unit}. Arrow keys move along the time.`} aria-details={table_id}
          // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
          tabIndex={0} onKeyDown={onKeyDown} />
        {filling !== 'filled' && <p className="chart-note">{NOTES[filling]}</p>}
      </div>
      <ChartLegend ref={legend} labels={lines.map((line) => line.label)} hidden={hidden} onToggle={(label) => setHidden(toggled(hidden, label))} />
      <ChartTable id={table_id} title={title} open={table_open} labels={lines.map((line) => line.label)} columns={columns} format={format} />
      <p className="visually-hidden" aria-live="polite">{announcement}</p>
    </figure>
  );
}

const NOTES = {
  loading: 'Loading…',
  failed: 'The history could not be read. New samples appear as they arrive.',
  empty: 'No samples in this range yet',
} as const;

function fillingOf(lines: readonly ChartLine[]): 'loading' | 'failed' | 'empty' | 'filled' {
  if (lines.some((line) => line.series.load === 'loading')) return 'loading';
  if (lines.some((line) => line.series.buffer.size > 0)) return 'filled';
  return lines.some((line) => line.series.load === 'failed') ? 'failed' : 'empty';
}

/** The newest value while it is current: what was not heard of lately is unknown now. */
function currentOf(line: ChartLine | undefined, now_ms: number): number | null {
  const newest = line?.series.buffer.newest() ?? null;
  return line === undefined || newest === null || now_ms - newest.at_ms > gapOf(line.series.buffer.step_ms) ? null : newest.value;
}

/** Where only another series has a point at the cursor, the value shortly before it stands. */
function valueNear(columns: Columns, position: number, index: number): number | null | undefined {
  const column = columns[position];
  for (let back = 0; back < 5; back += 1) {
    const value = column?.[index - back];
    if (value !== undefined) return value;
  }
  return undefined;
}

function spoken(columns: Columns, labels: string[], index: number, format: (value: number) => string): string {
  const values = labels.map((label, position) => {
    const value = valueNear(columns, position + 1, index);
    return `${label} ${typeof value === 'number' ? format(value) : 'unknown'}`;
  });
  return `${clock((columns[0][index] ?? 0) * 1000)}: ${values.join(', ')}`;
}

function toggled(set: ReadonlySet<string>, entry: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(entry)) next.add(entry);
  return next;
}
