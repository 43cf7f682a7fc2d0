import type uPlot from 'uplot';
import { cssValue, withAlpha } from '../../charts/palette';
import { plain } from '../../format/numbers';

/** What is drawn over the line; read while it is drawn. Times are Unix seconds. */
export interface BreachView {
  readonly from_s: number;
  readonly until_s: number;
  readonly limit: number | null;
  readonly breach: readonly [number, number] | null;
  readonly fired_s: number | null;
}

/** Marks that are nearer to each other would cover each other's names. */
const APART_S = 20;
const FONT = '11px system-ui, sans-serif';
const two = (value: number): string => String(value).padStart(2, '0');

function timeText(seconds: number, step_s: number): string {
  const at = new Date(seconds * 1000);
  return step_s < 60 ? `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}` : `${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** Short numbers for the scale: `1.5 G`. */
function scaleText(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${plain(value / 1e9)} G`;
  if (size >= 1e6) return `${plain(value / 1e6)} M`;
  return size >= 1e4 ? `${plain(value / 1e3)} k` : plain(value);
}

/** One line with its limit, and the time of the breach shaded. */
export function breachOptions(view: () => BreachView): Omit<uPlot.Options, 'width' | 'height'> {
  const muted = cssValue('--muted');
  const grid = { stroke: cssValue('--grid'), width: 1 };
  const stroke = cssValue('--series-2');
  return {
    padding: [10, 14, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: {
      x: { time: true, range: () => [view().from_s, view().until_s] },
      y: { range: (_plot, low, high) => rangeOf(low, high, view().limit) },
    },
    axes: [
      { stroke: muted, grid, font: FONT, ticks: { show: false }, gap: 6, size: 26, space: 76, values: (_plot, splits, _axis, _space, step_s) => splits.map((split) => timeText(split, step_s)) },
      { stroke: muted, grid, font: FONT, ticks: { show: false }, gap: 8, size: 54, space: 34, values: (_plot, splits) => splits.map(scaleText) },
    ],
    series: [{}, { stroke, width: 1.5, fill: withAlpha(stroke, 0.08), points: { show: false }, spanGaps: false }],
    hooks: { drawClear: [(plot) => shade(plot, view())], draw: [(plot) => drawMarks(plot, view())] },
  };
}

/** The values and the limit with room around them; from zero where that is near. */
function rangeOf(low: number, high: number, limit: number | null): [number, number] {
  const values = [low, high, ...(limit === null ? [] : [limit])].filter((value) => Number.isFinite(value));
  if (values.length === 0) return [0, 1];
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const room = (most - least || Math.abs(most) || 1) * 0.12;
  return [least >= 0 && least < (most - least) * 1.5 ? 0 : least - room, most + room];
}

function shade(plot: uPlot, { breach }: BreachView): void {
  if (breach === null) return;
  const { left, top, width, height } = plot.bbox;
  const clamp = (x: number): number => Math.min(left + width, Math.max(left, x));
  const from = clamp(plot.valToPos(breach[0], 'x', true));
  const to = clamp(plot.valToPos(breach[1], 'x', true));
  plot.ctx.save();
  plot.ctx.fillStyle = withAlpha(cssValue('--bad'), 0.1);
  plot.ctx.fillRect(from, top, Math.max(1, to - from), height);
  plot.ctx.restore();
}

function drawMarks(plot: uPlot, { limit, breach, fired_s }: BreachView): void {
  const pen = plot.ctx;
  const ratio = devicePixelRatio;
  const { left, top, width, height } = plot.bbox;
  pen.save();
  pen.beginPath();
  pen.rect(left, top, width, height);
  pen.clip();
  pen.lineWidth = ratio;
  const line = (from: [number, number], to: [number, number], colour: string, dash: number[]): void => {
    pen.strokeStyle = colour;
    pen.setLineDash(dash.map((length) => length * ratio));
    pen.beginPath();
    pen.moveTo(...from);
    pen.lineTo(...to);
    pen.stroke();
  };
  if (limit !== null) {
    const y = Math.round(plot.valToPos(limit, 'y', true));
    line([left, y], [left + width, y], cssValue('--bad'), [6, 4]);
  }
  pen.font = `${11 * ratio}px system-ui, sans-serif`;
  pen.textAlign = 'left';
  pen.textBaseline = 'top';
  const named = (at_s: number | null, name: string, colour: string): void => {
    if (at_s === null) return;
    const x = Math.round(plot.valToPos(at_s, 'x', true));
    line([x, top], [x, top + height], colour, []);
    const text_width = pen.measureText(name).width + 8 * ratio;
    pen.fillStyle = colour;
    pen.fillText(name, x + text_width > left + width ? x - text_width + 4 * ratio : x + 4 * ratio, top + 2 * ratio);
  };
  const [began_s] = breach ?? [null];
  if (began_s !== null && (fired_s === null || fired_s - began_s >= APART_S)) named(began_s, 'began', cssValue('--warn'));
  named(fired_s, 'fired', cssValue('--bad'));
  pen.restore();
}
