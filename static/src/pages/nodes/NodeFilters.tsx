import type { ReactNode } from 'react';
import { useParameter } from '../../state/view';
import { Icon } from '../../ui/icons';
import { SearchBox } from '../../ui/SearchBox';
import { labelPairs, NODE_STATES, type NodeFilter } from './filter';
import type { LiveNode } from './liveNode';

export function NodeFilters({ nodes, filter }: { readonly nodes: readonly LiveNode[]; readonly filter: NodeFilter }): ReactNode {
  const [, setState] = useParameter('state');
  const [, setLabel] = useParameter('label');
  const [view, setView] = useParameter('view');
  const labels = [...new Set([...nodes.flatMap(labelPairs), ...(filter.label === null ? [] : [filter.label])])].sort();
  const counts = new Map<string, number>();
  for (const node of nodes) counts.set(node.state, (counts.get(node.state) ?? 0) + 1);
  return (
    <div className="filters" role="search" aria-label="Filter the fleet">
      <SearchBox parameter="q" label="Filter by name, label or system" />
      <div className="segments" role="group" aria-label="State">
        <button type="button" aria-pressed={filter.state === null} onClick={() => setState(null)}>all {nodes.length}</button>
        {NODE_STATES.filter((state) => counts.has(state) || filter.state === state || state !== 'enrolling' && state !== 'retired').map((state) => (
          <button key={state} type="button" aria-pressed={filter.state === state} onClick={() => setState(filter.state === state ? null : state)}>
            {state} {counts.get(state) ?? 0}
          </button>
        ))}
      </div>
      {labels.length > 0 && (
        <select aria-label="Label" value={filter.label ?? ''} onChange={(event) => setLabel(event.target.value)}>
          <option value="">any label</option>
          {labels.map((label) => <option key={label}>{label}</option>)}
        </select>
      )}
      <div className="segments wide-only" role="group" aria-label="View">
        <button type="button" aria-pressed={view !== 'grid'} aria-label="Table" onClick={() => setView(null)}><Icon name="rows" size={14} /></button>
        <button type="button" aria-pressed={view === 'grid'} aria-label="Grid" onClick={() => setView('grid')}><Icon name="grid" size={14} /></button>
      </div>
    </div>
  );
}
