import type { OnChangeFn, SortingState } from '@tanstack/react-table';
import { useMemo } from 'react';
import { useParameter } from '../state/view';

/** The sort order of a table in the URL: `?sort=cpu` or `?sort=-cpu` for descending. */
export function useSortParameter(initial: string): readonly [SortingState, OnChangeFn<SortingState>] {
  const [value, setValue] = useParameter('sort');
  const text = value ?? initial;
  // A new array would be a new order to the table, which would then sort and render without end.
  const sorting = useMemo(
    (): SortingState => (text.startsWith('-') ? [{ id: text.slice(1), desc: true }] : [{ id: text, desc: false }]),
    [text],
  );
  const change: OnChangeFn<SortingState> = (updater) => {
    const [first] = typeof updater === 'function' ? updater(sorting) : updater;
    const next = first === undefined ? null : `${first.desc ? '-' : ''}${first.id}`;
    setValue(next === initial ? null : next);
  };
  return [sorting, change];
}
