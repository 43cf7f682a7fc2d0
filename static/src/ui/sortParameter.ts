import type { OnChangeFn, SortingState } from '@tanstack/react-table';
import { useParameter } from '../state/view';

/** The sort order of a table in the URL: `?sort=cpu` or `?sort=-cpu` for descending. */
export function useSortParameter(initial: string): readonly [SortingState, OnChangeFn<SortingState>] {
  const [value, setValue] = useParameter('sort');
  const text = value ?? initial;
  const sorting: SortingState = text.startsWith('-') ? [{ id: text.slice(1), desc: true }] : [{ id: text, desc: false }];
  const change: OnChangeFn<SortingState> = (updater) => {
    const [first] = typeof updater === 'function' ? updater(sorting) : updater;
    const next = first === undefined ? null : `${first.desc ? '-' : ''}${first.id}`;
    setValue(next === initial ? null : next);
  };
  return [sorting, change];
}
