import type { ReactNode, Ref } from 'react';
import { UNKNOWN } from '../format/numbers';
import { seriesStyle } from './palette';

interface ChartLegendProps {
  readonly ref: Ref<HTMLDivElement>;
  readonly labels: readonly string[];
  readonly hidden: ReadonlySet<string>;
  readonly onToggle: (label: string) => void;
}

/** Names and values of the lines; the chart writes the values itself, at the cursor or the newest ones. */
export function ChartLegend({ ref, labels, hidden, onToggle }: ChartLegendProps): ReactNode {
  return (
    <div ref={ref} className="chart-legend">
      {labels.map((label, index) => {
        const style = seriesStyle(index);
        return (
          <button key={label} type="button" className="chart-key" aria-pressed={!hidden.has(label)} onClick={() => onToggle(label)}>
            <svg width="16" height="8" aria-hidden="true">
              <line x1="0" y1="4" x2="16" y2="4" strokeWidth="3" stroke={`var(${style.variable})`} strokeDasharray={style.dash.join(' ')} />
            </svg>
            <span className="chart-key-name">{label}</span>
            <span className="chart-key-value" data-value>{UNKNOWN}</span>
          </button>
        );
      })}
      <span className="chart-time" data-time />
    </div>
  );
}
