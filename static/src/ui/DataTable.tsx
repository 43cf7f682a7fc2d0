import { flexRender, type Table } from '@tanstack/react-table';
import type { ReactNode } from 'react';
import { Icon } from './icons';

declare module '@tanstack/react-table' {
  // eslint-disable-next-line @typescript-eslint/no-unused-vars
  interface ColumnMeta<TData, TValue> {
    /** Class of the header and the cells: `number`, `narrow`, `wide`. */
    readonly className?: string;
  }
}

interface DataTableProps<T> {
  readonly table: Table<T>;
  readonly caption: string;
  readonly min_width: number;
  readonly rowClass?: (row: T) => string | undefined;
}

/** A TanStack table on screen: sortable headers, a first column that stays, scrolling inside its own box. */
export function DataTable<T>({ table, caption, min_width, rowClass }: DataTableProps<T>): ReactNode {
  return (
    // A box that scrolls has to be reachable by keyboard.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className="table-box" tabIndex={0} role="region" aria-label={caption}>
      <table className="data" style={{ minWidth: min_width }}>
        <caption className="visually-hidden">{caption}</caption>
        <thead>
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id}>
              {group.headers.map((header) => {
                const sorted = header.column.getIsSorted();
                const label = flexRender(header.column.columnDef.header, header.getContext());
                return (
                  <th key={header.id} scope="col" className={header.column.columnDef.meta?.className}
                    aria-sort={sorted === false ? undefined : sorted === 'asc' ? 'ascending' : 'descending'}
                    style={{ width: header.getSize() }}>
                    {header.column.getCanSort()
                      ? (
                        <button type="button" className="sort" onClick={header.column.getToggleSortingHandler()}>
                          {label}
                          <span className={sorted === false ? 'sort-mark hidden' : 'sort-mark'}><Icon name={sorted === 'desc' ? 'down' : 'up'} size={11} /></span>
                        </button>
                      )
                      : label}
                  </th>
                );
              })}
            </tr>
          ))}
        </thead>
        <tbody>
          {table.getRowModel().rows.map((row) => (
            <tr key={row.id} className={rowClass?.(row.original)}>
              {row.getVisibleCells().map((cell) => (
                <td key={cell.id} className={cell.column.columnDef.meta?.className}>
                  {flexRender(cell.column.columnDef.cell, cell.getContext())}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
