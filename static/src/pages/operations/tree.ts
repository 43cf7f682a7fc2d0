import type { SupervisedKind } from '../../api/types';

export interface KindRow extends SupervisedKind {
  readonly children: KindRow[];
}

/** Kinds under their parents, in the order of the list; a kind whose parent is not in the list is a root. */
export function supervisionTree(kinds: readonly SupervisedKind[]): KindRow[] {
  const rows = new Map(kinds.map((kind): [string, KindRow] => [kind.kind, { ...kind, children: [] }]));
  const roots: KindRow[] = [];
  for (const row of rows.values()) {
    const parent = row.parent === null || row.parent === row.kind ? undefined : rows.get(row.parent);
    (parent?.children ?? roots).push(row);
  }
  return roots;
}
