import type { ReactNode } from 'react';

interface SegmentsProps<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly choices: readonly (readonly [T, string])[];
  readonly onChoose: (value: T) => void;
}

/** A few choices of which one holds. */
export function Segments<T extends string>({ label, value, choices, onChoose }: SegmentsProps<T>): ReactNode {
  return (
    <div className="segments" role="group" aria-label={label}>
      {choices.map(([choice, name]) => (
        <button key={choice} type="button" aria-pressed={choice === value} onClick={() => onChoose(choice)}>{name}</button>
      ))}
    </div>
  );
}
