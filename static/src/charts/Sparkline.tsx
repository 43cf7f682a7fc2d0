import { useEffect, useEffectEvent, useRef, type ReactNode } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useConnection } from '../state/context';
import { useTheme } from '../theme/theme';
import { align } from './align';
import { observeWidth, useDrawLoop } from './drawLoop';
import { sparklineOptions } from './plotOptions';
import { useSeries, windowOf, type SeriesRequest } from './useSeries';

interface SparklineProps {
  readonly request: SeriesRequest;
  readonly range_ms: number;
  readonly variable: string;
  readonly max?: number | undefined;
  readonly height?: number;
}

/** A line without axes beside a number that says the same; hidden from assistive technology. */
export function Sparkline({ request, range_ms, variable, max, height = 34 }: SparklineProps): ReactNode {
  const lines = useSeries([request], range_ms);
  const { theme } = useTheme();
  const skew_ms = useConnection().clock_skew_ms;
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const draw = (): void => {
    const until_ms = Date.now() + skew_ms;
    const since_ms = until_ms - windowOf(lines, range_ms, until_ms);
    const data = align(lines.map((line) => line.series.buffer), since_ms, until_ms);
    plot.current?.batch((chart: uPlot) => {
      chart.setData(data, false);
      chart.setScale('x', { min: since_ms / 1000, max: until_ms / 1000 });
    });
  };
  useDrawLoop(draw);
  const drawAtOnce = useEffectEvent(draw);
  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const chart = new uPlot(sparklineOptions(element.clientWidth || 120, height, variable, max), [[]] as unknown as uPlot.AlignedData, element);
    plot.current = chart;
    const unobserve = observeWidth(element, (width) => chart.setSize({ width, height }));
    drawAtOnce();
    return () => {
      unobserve();
      chart.destroy();
      plot.current = null;
    };
  }, [height, variable, max, theme]);
  return <div ref={host} className="sparkline" style={{ height }} aria-hidden="true" />;
}
