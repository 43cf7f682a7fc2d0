import type { ReactNode } from 'react';

export interface Figure {
  readonly name: string;
  readonly value: string;
  readonly note?: string;
  readonly tone?: 'ok' | 'warn' | 'bad' | undefined;
}

/** A dense row of figures, each below its name. */
export function Figures({ label, figures }: { readonly label: string; readonly figures: readonly Figure[] }): ReactNode {
  return (
    <dl className="figures" aria-label={label}>
      {figures.map((figure) => (
        <div key={figure.name} data-figure={figure.name}>
          <dt>{figure.name}</dt>
          <dd>
            <span className={figure.tone === undefined ? undefined : `tone-${figure.tone}`}>{figure.value}</span>
            {figure.note !== undefined && <small className="muted">{figure.note}</small>}
          </dd>
        </div>
      ))}
    </dl>
  );
}
