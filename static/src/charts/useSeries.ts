import { useEffect, useMemo } from 'react';
import { useServices } from '../state/context';
import type { LiveSeries } from '../state/seriesStore';

export interface SeriesRequest {
  readonly node: string;
  readonly series: string;
  readonly label: string;
  /** Whether the hub keeps the series, so that the chart can be preloaded. */
  readonly has_history: boolean;
}

export interface ChartLine {
  readonly label: string;
  readonly series: LiveSeries;
}

/** Series that began a moment ago are shown over what there is of them, but never over less than this. */
const MIN_WINDOW_MS = 60_000;

/** The part of the range to show. */
export function windowOf(lines: readonly ChartLine[], range_ms: number, until_ms: number): number {
  if (lines.length === 0 || lines.some((line) => line.series.load === 'loading')) return range_ms;
  const oldest_ms = Math.min(...lines.map((line) => line.series.buffer.oldestAt() ?? until_ms));
  return Math.min(range_ms, Math.max(MIN_WINDOW_MS, until_ms - oldest_ms));
}

/** The live series behind a chart, kept while the chart is there. */
export function useSeries(requests: readonly SeriesRequest[], range_ms: number): readonly ChartLine[] {
  const { series } = useServices();
  // The requests are built anew on each render; what they say seldom changes.
  const wanted = JSON.stringify(requests);
  const lines = useMemo(
    () => (JSON.parse(wanted) as SeriesRequest[]).map((request) => ({
      label: request.label,
      series: series.get(request.node, request.series, range_ms, request.has_history),
    })),
    [series, wanted, range_ms],
  );
  useEffect(() => {
    const releases = lines.map((line) => series.retain(line.series));
    return () => releases.forEach((release) => release());
  }, [series, lines]);
  return lines;
}
