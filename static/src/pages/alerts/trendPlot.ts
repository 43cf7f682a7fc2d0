import uPlot from 'uplot';
import type { AlertHour } from '../../api/alerts';
import type { Columns } from '../../charts/align';
import { cssValue, withAlpha } from '../../charts/palette';
import { unixMs } from '../../format/times';

const FONT = '11px system-ui, sans-serif';
const HALF_HOUR_S = 1_800;
const two = (value: number): string => String(value).padStart(2, '0');

/** Each hour by its middle, so that its bars stand within it. */
export function trendColumns(hours: readonly AlertHour[]): Columns {
  return [
    hours.map((hour) => (unixMs(hour.hour) ?? 0) / 1000 + HALF_HOUR_S),
    // A bar of nothing would be a line.
    hours.map((hour) => (hour.fired === 0 ? null : hour.fired)),
    hours.map((hour) => (hour.resolved === 0 ? null : hour.resolved)),
  ];
}

export function hourText({ hour }: AlertHour): string {
  const at = new Date(unixMs(hour) ?? 0);
  return `${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** Options of bars by the hour: fired on the left half, resolved on the right, told apart by filling too. */
export function trendOptions(): Omit<uPlot.Options, 'width' | 'height'> {
  const muted = cssValue('--muted');
  const bars = (align: 1 | -1): uPlot.Series.PathBuilder | undefined => uPlot.paths.bars?.({ size: [0.38, 14], align, gap: 1 });
  const one = (variable: string, align: 1 | -1, filled: boolean): uPlot.Series => {
    const stroke = cssValue(variable);
    const paths = bars(align);
    return { stroke, width: 1, fill: filled ? stroke : withAlpha(stroke, 0.25), points: { show: false }, ...(paths === undefined ? {} : { paths }) };
  };
  return {
    padding: [6, 16, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: true, range: (plot) => {
        const [first = 0] = plot.data[0];
        const last = plot.data[0].at(-1) ?? 1;
        return [first - HALF_HOUR_S, last + HALF_HOUR_S];
      } },
      y: { range: (_plot, _low, high) => [0, Math.max(2, Number.isFinite(high) ? high * 1.1 : 2)] },
    },
    axes: [
      {
        stroke: muted, grid: { show: false }, font: FONT, ticks: { show: false }, gap: 4, size: 20, space: 58,
        values: (_plot, splits) => splits.map((split) => `${two(new Date(split * 1000).getHours())}:00`),
      },
      {
        stroke: muted, grid: { stroke: cssValue('--grid'), width: 1 }, font: FONT, ticks: { show: false }, gap: 6, size: 30, space: 28,
        values: (_plot, splits) => splits.map((split) => (Number.isInteger(split) ? String(split) : '')),
      },
    ],
    series: [{}, one('--warn', -1, true), one('--ok', 1, false)],
  };
}
