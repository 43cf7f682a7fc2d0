import type { ReactNode } from 'react';

/** Labels of a node as `key=value`; nothing when there are none. */
export function Labels({ labels }: { readonly labels: Readonly<Record<string, string>> }): ReactNode {
  const pairs = Object.entries(labels);
  if (pairs.length === 0) return null;
  return (
    <ul className="labels" aria-label="Labels">
      {pairs.map(([key, value]) => <li key={key}><span className="label-key">{key}</span>={value}</li>)}
    </ul>
  );
}
