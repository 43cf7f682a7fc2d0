import type { ReactNode } from 'react';
import { percent } from '../format/numbers';

interface MeterProps {
  readonly label: string;
  /** 0 to 100; `null` when nobody knows. */
  readonly value: number | null | undefined;
  readonly show_label?: boolean;
  readonly note?: string;
}

function level(value: number): string {
  return value >= 92 ? 'high' : value >= 80 ? 'raised' : 'calm';
}

/** A percentage as number and bar. */
export function Meter({ label, value, show_label = false, note }: MeterProps): ReactNode {
  const known = typeof value === 'number' && Number.isFinite(value);
  const width = known ? Math.min(100, Math.max(0, value)) : 0;
  return (
    <div className="meter">
      {show_label && <span className="meter-label">{label}</span>}
      <div className="meter-track" role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={100}
        aria-valuenow={known ? Math.round(value) : undefined} aria-valuetext={known ? percent(value) : 'unknown'}>
        {known && <div className={`meter-fill ${level(value)}`} style={{ transform: `scaleX(${(width / 100).toFixed(4)})` }} />}
      </div>
      <span className="meter-value">{percent(value)}</span>
      {note !== undefined && <span className="meter-note">{note}</span>}
    </div>
  );
}
