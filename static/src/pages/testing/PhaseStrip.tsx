import type { ReactNode } from 'react';
import { decimal } from '../../format/numbers';

interface PhaseStripProps {
  readonly phases: readonly { readonly name: string; readonly duration_s: number }[];
  /** Whether the last phase goes on. */
  readonly is_running?: boolean;
}

/** The phases of a run one after the other, as wide as they lasted. */
export function PhaseStrip({ phases, is_running = false }: PhaseStripProps): ReactNode {
  if (phases.length === 0) return null;
  return (
    <ol className="phases" aria-label="Phases">
      {phases.map((phase, index) => {
        const is_now = is_running && index === phases.length - 1;
        return (
          <li key={`${index} ${phase.name}`} className={is_now ? 'now' : undefined} aria-current={is_now ? 'step' : undefined}
            style={{ flexGrow: Math.max(0.1, phase.duration_s) }} title={`${phase.name.replaceAll('_', ' ')}, ${decimal(phase.duration_s, 1)} s`}>
            <span>{phase.name.replaceAll('_', ' ')}</span>
            <span className="muted">{decimal(phase.duration_s, 1)} s</span>
          </li>
        );
      })}
    </ol>
  );
}
