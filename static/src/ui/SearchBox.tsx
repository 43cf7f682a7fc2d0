import type { ReactNode } from 'react';
import { useParameter } from '../state/view';
import { Icon } from './icons';

/** A text filter that lives in the URL. */
export function SearchBox({ parameter, label }: { readonly parameter: string; readonly label: string }): ReactNode {
  const [value, setValue] = useParameter(parameter);
  return (
    <div className="search">
      <Icon name="search" size={14} />
      <input type="search" aria-label={label} placeholder={label} value={value ?? ''} onChange={(event) => setValue(event.target.value)} />
    </div>
  );
}
