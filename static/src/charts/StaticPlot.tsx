import { useEffect, useEffectEvent, useRef, type KeyboardEvent, type ReactNode } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useTheme } from '../theme/theme';
import type { Columns } from './align';
import './chart.css';
import { observeWidth } from './drawLoop';
import { moveCursor } from './keyboardCursor';

interface StaticPlotProps {
  /** What it shows, for assistive technology. */
  readonly label: string;
  readonly columns: Columns;
  readonly height: number;
  /** Options in the colours of the present theme. A new function makes a new chart, so it must be stable. */
  readonly build: () => Omit<uPlot.Options, 'width' | 'height'>;
  /** The value of x under the cursor, or `null` without one; charts without it cannot be pointed at. */
  readonly onCursor?: (x: number | null) => void;
  readonly details?: string;
}

/** A plot of figures that are all there at once, rather than of series over time. */
export function StaticPlot({ label, columns, height, build, onCursor, details }: StaticPlotProps): ReactNode {
  const { theme } = useTheme();
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const tell = useEffectEvent((chart: uPlot) => {
    const { left } = chart.cursor;
    onCursor?.(left === undefined || left < 0 ? null : chart.posToVal(left, 'x'));
  });
  const fill = useEffectEvent(() => plot.current?.setData(columns));
  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const options = build();
    const chart = new uPlot({
      ...options, width: element.clientWidth || 300, height, hooks: { ...options.hooks, setCursor: [(drawn) => tell(drawn)] },
    }, [[]] as unknown as uPlot.AlignedData, element);
    plot.current = chart;
    const unobserve = observeWidth(element, (width) => chart.setSize({ width, height }));
    fill();
    return () => {
      unobserve();
      chart.destroy();
      plot.current = null;
    };
  }, [build, height, theme]);
  useEffect(() => fill(), [columns]);
  if (onCursor === undefined) return <div ref={host} className="chart-plot" style={{ height }} role="img" aria-label={label} />;
  const onKeyDown = (event: KeyboardEvent): void => {
    if (plot.current !== null && moveCursor(plot.current, columns, event.key) !== undefined) event.preventDefault();
  };
  return (
    // The plot takes the arrow keys itself, which is what the role says.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <div ref={host} className="chart-plot" style={{ height }} role="application" aria-roledescription="chart"
      aria-label={`${label}. Arrow keys move along it.`} aria-details={details}
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0} onKeyDown={onKeyDown} />
  );
}
