import type uPlot from 'uplot';
import { cssValue, seriesStyle, withAlpha } from './palette';

export interface PlotSpec {
  readonly labels: readonly string[];
  readonly width: number;
  readonly height: number;
  readonly axis: (value: number) => string;
  /** Upper end of the scale where the unit has one (100 for percent). */
  readonly max: number | undefined;
  /** Smallest upper end, so that noise near zero does not fill the chart. */
  readonly soft_max: number;
  /** Charts with the same key move their cursors together. */
  readonly sync: string;
  readonly onCursor: (plot: uPlot) => void;
  /** The scale counts in powers of two, as sizes of memory do. */
  readonly binary: boolean;
}

const BINARY_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);

const FONT = '11px system-ui, sans-serif';
const AXIS_WIDTH = 64;

const two = (value: number): string => String(value).padStart(2, '0');

function timeLabel(seconds: number, step_s: number): string {
  const at = new Date(seconds * 1000);
  const minutes = `${two(at.getHours())}:${two(at.getMinutes())}`;
  return step_s < 60 ? `${minutes}:${two(at.getSeconds())}` : minutes;
}

/** A line needs two points: the first sample of a series is drawn as a dot. */
function lonePoint(plot: uPlot, series: number): number[] {
  const column = plot.data[series] ?? [];
  const first = column.findIndex((value) => typeof value === 'number');
  return first >= 0 && column.findLastIndex((value) => typeof value === 'number') === first ? [first] : [];
}

/** Options of one line chart over time in the colours of the present theme. */
export function plotOptions(spec: PlotSpec): uPlot.Options {
  const muted = cssValue('--muted');
  const grid = { stroke: cssValue('--grid'), width: 1 };
  const filled = spec.labels.length <= 2;
  return {
    width: spec.width,
    height: spec.height,
    padding: [8, 18, 0, 0],
    legend: { show: false },
    cursor: {
      sync: { key: spec.sync, scales: ['x', null] },
      points: { size: 6 },
      drag: { x: false, y: false },
    },
    scales: {
      x: { time: true },
      y: {
        range: {
          min: { pad: 0, soft: 0, mode: 1, hard: 0 },
          max: { pad: 0.12, soft: spec.soft_max, mode: 1, ...(spec.max === undefined ? {} : { hard: spec.max }) },
        },
      },
    },
    axes: [
      {
        stroke: muted, grid, font: FONT, ticks: { show: false }, gap: 6, size: 26, space: 76,
        values: (_plot, splits, _axis, _space, step_s) => splits.map((split) => timeLabel(split, step_s)),
      },
      {
        stroke: muted, grid, font: FONT, ticks: { show: false }, gap: 8, size: AXIS_WIDTH, space: 32, ...(spec.binary ? { incrs: BINARY_STEPS } : {}),
        values: (_plot, splits) => splits.map((split) => spec.axis(split)),
      },
    ],
    series: [
      {},
      ...spec.labels.map((label, index) => {
        const style = seriesStyle(index);
        const stroke = cssValue(style.variable);
        return {
          label, stroke, width: 1.5, dash: [...style.dash], points: { show: true, size: 4, fill: stroke, filter: lonePoint },
          ...(filled ? { fill: withAlpha(stroke, spec.labels.length === 1 ? 0.14 : 0.06) } : {}),
        };
      }),
    ],
    hooks: { setCursor: [spec.onCursor] },
  };
}

/** Options of a small line without axes. */
export function sparklineOptions(width: number, height: number, variable: string, max: number | undefined): uPlot.Options {
  const stroke = cssValue(variable);
  return {
    width,
    height,
    padding: [2, 0, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: true },
      y: { range: (_plot, _low, high) => [0, max ?? Math.max(1, (Number.isFinite(high) ? high : 1) * 1.15)] },
    },
    axes: [{ show: false }, { show: false }],
    series: [{}, { stroke, width: 1.25, fill: withAlpha(stroke, 0.16), points: { show: false } }],
  };
}
