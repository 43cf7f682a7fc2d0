import type { CSSProperties, ReactNode } from 'react';
import { Sparkline } from '../charts/Sparkline';
import { useRange } from '../state/view';
import './tiles.css';

/** One figure with its recent course. */
export interface Tile {
  readonly label: string;
  readonly value: string;
  readonly detail: string;
  readonly node: string;
  readonly series: string;
  /** Whether the hub keeps the series; the course of others begins when the page is opened. */
  readonly has_history: boolean;
  readonly max?: number;
}

interface TilesProps {
  readonly label: string;
  readonly tiles: readonly Tile[];
  /** Tiles from here on are about the hub, in another colour. */
  readonly first_of_hub?: number;
}

/** A row of figures. */
export function Tiles({ label, tiles, first_of_hub = 0 }: TilesProps): ReactNode {
  const [range] = useRange();
  return (
    <ul className="kpis" aria-label={label} style={{ '--tiles': tiles.length } as CSSProperties}>
      {tiles.map((tile, index) => (
        <li key={tile.series} className="kpi" data-kpi={tile.series}>
          <span className="kpi-label">{tile.label}</span>
          <strong className="kpi-value">{tile.value}</strong>
          <span className="kpi-detail" title={tile.detail}>{tile.detail}</span>
          <Sparkline max={tile.max} range_ms={range.ms} variable={index < first_of_hub ? '--series-1' : '--series-2'}
            request={{ node: tile.node, series: tile.series, label: tile.label, has_history: tile.has_history }} />
        </li>
      ))}
    </ul>
  );
}
