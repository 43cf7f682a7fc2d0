import { useState, type ReactNode } from 'react';
import { Icon } from './icons';

const SHOWN_MS = 2_000;

interface CopyButtonProps {
  readonly text: string;
  readonly label: string;
  /** Beside other buttons, rather than the one thing to do. */
  readonly quiet?: boolean;
}

/** Copies text and says so. */
export function CopyButton({ text, label, quiet = false }: CopyButtonProps): ReactNode {
  const [outcome, setOutcome] = useState<'' | 'Copied' | 'Select and copy by hand'>('');
  const copy = async (): Promise<void> => {
    try {
      // On plain http away from this machine browsers offer no clipboard.
      await navigator.clipboard.writeText(text);
      setOutcome('Copied');
    } catch {
      setOutcome('Select and copy by hand');
    }
    setTimeout(() => setOutcome(''), SHOWN_MS);
  };
  return (
    <button type="button" className={quiet ? 'small' : 'primary'} onClick={() => void copy()} aria-label={label}>
      <Icon name={outcome === 'Copied' ? 'check' : 'copy'} />
      <span aria-live="polite">{outcome === '' ? 'Copy' : outcome}</span>
    </button>
  );
}
