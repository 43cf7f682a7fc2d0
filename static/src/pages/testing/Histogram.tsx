import { useCallback, useEffect, useId, useMemo, useRef, useState, type ReactNode } from 'react';
import type { Bucket, RunLatency } from '../../api/testing';
import { StaticPlot } from '../../charts/StaticPlot';
import { count, percent, plain, wholePercent } from '../../format/numbers';
import { barAt, barsOf, marksOf, scaleOf, sharesOf, stepsOf, tickText, type Bar } from './histogram';
import { histogramOptions, type HistogramView } from './histogramPlot';

export interface HistogramRun {
  /** How the run is called where there are two. */
  readonly label: string;
  readonly histogram: readonly Bucket[];
  readonly latency: RunLatency | null | undefined;
}

interface HistogramProps {
  readonly title: string;
  readonly runs: readonly HistogramRun[];
  readonly height?: number;
}

/** Latencies of one run, or of two over each other as shares, on a logarithmic scale with the percentiles marked. */
export function Histogram({ title, runs, height = 224 }: HistogramProps): ReactNode {
  const two = runs.length > 1;
  const title_id = useId();
  const table_id = useId();
  const [table_open, setTableOpen] = useState(false);
  const [at, setAt] = useState<number | null>(null);
  const groups = useMemo(() => runs.map((run) => (two ? sharesOf(barsOf(run.histogram)) : barsOf(run.histogram))), [runs, two]);
  const columns = useMemo(() => stepsOf(groups), [groups]);
  const view = useRef<HistogramView>({ scale: [-1, 2], groups: [] });
  useEffect(() => {
    view.current = {
      scale: scaleOf(...groups),
      groups: runs.map((run) => ({ label: run.label, marks: marksOf(run.latency, two ? ['p50', 'p99'] : undefined) })),
    };
  }, [groups, runs, two]);
  const size = runs.length;
  const build = useCallback(() => histogramOptions(() => view.current, size, two ? wholePercent : compact), [size, two]);
  const empty = groups.every((bars) => bars.length === 0);
  return (
    <figure className="chart histogram" aria-labelledby={title_id} data-histogram={empty ? 'empty' : 'filled'}>
      <figcaption className="chart-head">
        <h3 id={title_id}>{title}</h3>
        <span className="muted" aria-live="polite">{at === null || empty ? (two ? 'share of the deliveries' : 'deliveries by latency') : pointed(groups, runs, at)}</span>
        {!empty && (
          <button type="button" className="quiet small" aria-expanded={table_open} aria-controls={table_id} aria-label={`${title}: table of values`}
            onClick={() => setTableOpen(!table_open)}>
            Table
          </button>
        )}
      </figcaption>
      <div className="chart-body">
        <StaticPlot label={labelOf(title, runs)} columns={columns} height={height} build={build} onCursor={setAt} details={table_id} />
        {empty && <p className="chart-note">No delivery was measured yet</p>}
      </div>
      {two && !empty && (
        <ul className="histogram-legend">
          {runs.map((run, index) => <li key={run.label}><span className={`histogram-key key-${index}`} aria-hidden="true" />{run.label}</li>)}
        </ul>
      )}
      <BucketTable id={table_id} title={title} open={table_open} groups={groups} labels={runs.map((run) => run.label)} />
    </figure>
  );
}

function labelOf(title: string, runs: readonly HistogramRun[]): string {
  const marks = runs.map((run) => `${runs.length > 1 ? `${run.label} ` : ''}${marksOf(run.latency).map((mark) => `${mark.name} ${mark.text}`).join(', ')}`);
  return `${title}. ${marks.join('. ')}`;
}

const compact = (value: number): string => (value >= 10_000 ? `${plain(value / 1000)} k` : plain(value));

function rangeText(bar: Bar): string {
  return `${tickText(bar.from)} to ${tickText(bar.to)}`;
}

function pointed(groups: readonly (readonly Bar[])[], runs: readonly HistogramRun[], at: number): string {
  const bars = groups.map((group) => barAt(group, at + 1e-7));
  const some = bars.find((bar) => bar !== undefined);
  if (some === undefined) return 'none';
  const total = groups[0]?.reduce((sum, bar) => sum + bar.count, 0) ?? 0;
  if (runs.length === 1) return `${rangeText(some)}: ${count(some.count)} (${percent((some.count / Math.max(1, total)) * 100)})`;
  return `${rangeText(some)}: ${bars.map((bar, index) => `${runs[index]?.label ?? ''} ${percent(bar?.count ?? 0)}`).join(', ')}`;
}

interface BucketTableProps {
  readonly id: string;
  readonly title: string;
  readonly open: boolean;
  readonly groups: readonly (readonly Bar[])[];
  readonly labels: readonly string[];
}

/** The buckets as a table: always there for assistive technology, on screen when asked for. */
function BucketTable({ id, title, open, groups, labels }: BucketTableProps): ReactNode {
  const [edges, ...columns] = stepsOf(groups);
  const rows = edges.slice(0, -1).map((edge, index) => ({ from: edge, to: edges[index + 1] ?? edge, counts: columns.map((column) => column[index] ?? 0) }));
  return (
    <div id={id} className={open ? 'chart-table' : 'visually-hidden'}>
      <table>
        <caption className="visually-hidden">{title} by bucket</caption>
        <thead>
          <tr><th scope="col">Latency</th>{labels.map((label) => <th key={label} scope="col" className="number">{labels.length > 1 ? label : 'Deliveries'}</th>)}</tr>
        </thead>
        <tbody>
          {rows.filter((row) => row.counts.some((value) => value > 0)).map((row) => (
            <tr key={row.from}>
              <td>{rangeText({ ...row, count: 0 })}</td>
              {row.counts.map((value, index) => <td key={labels[index]} className="number">{labels.length > 1 ? percent(value) : count(value)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
