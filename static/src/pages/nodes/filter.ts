import type { NodeState } from '../../api/types';
import { useParameter } from '../../state/view';
import type { LiveNode } from './liveNode';

/** The filters of the fleet, from the URL: `?q=web&state=late&label=zone=a`. */
export interface NodeFilter {
  readonly text: string;
  readonly state: NodeState | null;
  readonly label: string | null;
}

export const NODE_STATES: readonly NodeState[] = ['online', 'late', 'offline', 'enrolling', 'retired'];

export function useNodeFilter(): NodeFilter {
  const [text] = useParameter('q');
  const [state] = useParameter('state');
  const [label] = useParameter('label');
  return { text: text ?? '', state: NODE_STATES.find((known) => known === state) ?? null, label };
}

export function filterNodes(nodes: readonly LiveNode[], filter: NodeFilter): LiveNode[] {
  const words = filter.text.toLowerCase().split(/\s+/).filter((word) => word !== '');
  return nodes.filter((node) => {
    if (filter.state !== null && node.state !== filter.state) return false;
    const pairs = labelPairs(node);
    if (filter.label !== null && !pairs.includes(filter.label)) return false;
    const haystack = [node.id, node.inventory?.hostname ?? '', node.inventory?.os ?? '', ...pairs].join(' ').toLowerCase();
    return words.every((word) => haystack.includes(word));
  });
}

/** The labels of a node as `key=value`. */
export function labelPairs(node: LiveNode): string[] {
  return Object.entries(node.labels).map(([key, value]) => `${key}=${value}`);
}
