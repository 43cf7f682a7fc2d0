import uPlot from 'uplot';
import { cssValue, withAlpha } from '../../charts/palette';
import { tickText, ticksOf, type Mark } from './histogram';

export interface HistogramGroup {
  readonly label: string;
  readonly marks: readonly Mark[];
}

/** What a histogram shows at present; read while it is drawn, so that new figures need no new chart. */
export interface HistogramView {
  readonly scale: readonly [number, number];
  readonly groups: readonly HistogramGroup[];
}

const FONT = '11px system-ui, sans-serif';
const LABEL_ROW = 13;
const VARIABLES = ['--series-2', '--series-3'] as const;
const DASHES: readonly (readonly number[])[] = [[], [5, 3]];

/** Room above the bars for the names of the marks. */
export function headroom(groups: number): number {
  return 3 * LABEL_ROW + 6 + (groups > 1 ? LABEL_ROW : 0);
}

/** Options of a histogram over latencies on a logarithmic scale. The second group is an outline, so that both can be seen. */
export function histogramOptions(view: () => HistogramView, groups: number, axis: (value: number) => string): Omit<uPlot.Options, 'width' | 'height'> {
  const muted = cssValue('--muted');
  const grid = { stroke: cssValue('--grid'), width: 1 };
  const steps = uPlot.paths.stepped?.({ align: 1 });
  return {
    padding: [headroom(groups), 14, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: () => [...view().scale] },
      y: { range: (_plot, _low, high) => [0, Number.isFinite(high) && high > 0 ? high * 1.04 : 1] },
    },
    axes: [
      {
        stroke: muted, grid: { show: false }, font: FONT, ticks: { show: true, stroke: grid.stroke, width: 1, size: 4 }, gap: 4, size: 28,
        splits: (plot) => ticksOf(view().scale, Math.max(3, Math.floor(plot.width / 70))), values: (_plot, splits) => splits.map(tickText),
      },
      { stroke: muted, grid, font: FONT, ticks: { show: false }, gap: 8, size: 52, space: 34, values: (_plot, splits) => splits.map(axis) },
    ],
    series: [{}, ...Array.from({ length: groups }, (_, index) => {
      const stroke = cssValue(VARIABLES[index] ?? VARIABLES[0]);
      return {
        stroke, width: 1.5, dash: [...(DASHES[index] ?? [])], points: { show: false }, ...(steps === undefined ? {} : { paths: steps }),
        ...(index === 0 ? { fill: withAlpha(stroke, 0.26) } : {}),
      };
    })],
    hooks: { draw: [(plot) => drawMarks(plot, view())] },
  };
}

/** Lines at the percentiles with their names above, each group in its colour and dash. */
function drawMarks(plot: uPlot, { groups }: HistogramView): void {
  const pen = plot.ctx;
  const ratio = devicePixelRatio;
  const { top, left, width, height } = plot.bbox;
  pen.save();
  pen.font = `${11 * ratio}px system-ui, sans-serif`;
  pen.textAlign = 'left';
  pen.textBaseline = 'bottom';
  pen.lineWidth = ratio;
  groups.forEach((group, position) => {
    const colour = groups.length === 1 ? cssValue('--text') : cssValue(VARIABLES[position] ?? VARIABLES[0]);
    group.marks.forEach((mark, index) => {
      const x = Math.round(plot.valToPos(Math.log10(mark.ms), 'x', true));
      if (x < left || x > left + width) return;
      const row = groups.length === 1 ? index : position * 2 + index;
      const y = top - (group.marks.length * groups.length - row - 1) * LABEL_ROW * ratio;
      pen.strokeStyle = colour;
      pen.fillStyle = colour;
      pen.setLineDash(groups.length === 1 ? [4 * ratio, 3 * ratio] : (DASHES[position] ?? []).map((dash) => dash * ratio));
      pen.beginPath();
      pen.moveTo(x, y - LABEL_ROW * ratio + 2 * ratio);
      pen.lineTo(x, top + height);
      pen.stroke();
      const text = groups.length === 1 ? `${mark.name} ${mark.text}` : `${group.label} ${mark.name} ${mark.text}`;
      const room = left + width - x;
      const wide = pen.measureText(text).width + 5 * ratio;
      pen.fillText(text, wide <= room ? x + 4 * ratio : x - wide, y);
    });
  });
  pen.restore();
}
