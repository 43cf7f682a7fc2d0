import { useMemo, type ReactNode } from 'react';
import type uPlot from 'uplot';
import type { Columns } from '../../charts/align';
import { cssValue, withAlpha } from '../../charts/palette';
import { StaticPlot } from '../../charts/StaticPlot';
import { perSecond } from '../../format/numbers';

const HEIGHT = 56;

/** Deliveries per second since the run began. */
export function RateLine({ rates }: { readonly rates: readonly (readonly [number, number])[] }): ReactNode {
  const columns = useMemo((): Columns => [rates.map(([at_s]) => at_s), rates.map(([, rate]) => rate)], [rates]);
  const newest = rates.at(-1)?.[1];
  const peak = rates.reduce((most, [, rate]) => Math.max(most, rate), 0);
  return (
    <div className="rate-line">
      <p className="muted"><span>Deliveries/s</span><span>peak {perSecond(peak)}</span></p>
      <StaticPlot label={`Deliveries per second, now ${perSecond(newest)}, at most ${perSecond(peak)}`} columns={columns} height={HEIGHT} build={options} />
    </div>
  );
}

function options(): Omit<uPlot.Options, 'width' | 'height'> {
  const stroke = cssValue('--series-1');
  return {
    padding: [3, 1, 1, 1],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: (_plot, low, high) => [Math.min(0, low), Math.max(high, 1)] },
      y: { range: (_plot, _low, high) => [0, Math.max(1, Number.isFinite(high) ? high * 1.1 : 1)] },
    },
    axes: [{ show: false }, { show: false }],
    series: [{}, { stroke, width: 1.5, fill: withAlpha(stroke, 0.16), points: { show: false } }],
  };
}
