import { useEffect, useState, type ReactNode, type RefObject } from 'react';
import { UNKNOWN } from '../format/numbers';
import { clock } from '../format/times';
import type { Columns } from './align';

interface ChartTableProps {
  readonly id: string;
  readonly title: string;
  readonly open: boolean;
  readonly labels: readonly string[];
  readonly columns: RefObject<Columns>;
  readonly format: (value: number) => string;
}

const PAGE_ROWS = 20;
const REFRESH_MS = 5_000;

/** The values of a chart as a table: always there for assistive technology, on screen when asked for. */
export function ChartTable({ id, title, open, labels, columns, format }: ChartTableProps): ReactNode {
  const [rows, setRows] = useState<readonly (readonly string[])[]>([]);
  const [page, setPage] = useState(0);
  useEffect(() => {
    const read = (): void => setRows(rowsOf(columns.current, labels.length, page, format));
    const first = setTimeout(read, 0);
    const timer = setInterval(read, open ? 1_000 : REFRESH_MS);
    return () => {
      clearTimeout(first);
      clearInterval(timer);
    };
  }, [columns, labels.length, page, format, open]);
  return (
    <div id={id} className={open ? 'chart-table' : 'visually-hidden'}>
      <table>
        <caption className="visually-hidden">{title}, newest first</caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {labels.map((label) => <th key={label} scope="col" className="number">{label}</th>)}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row[0]}>
              {row.map((cell, index) => <td key={index} className={index === 0 ? undefined : 'number'}>{cell}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
      {open && (
        <div className="pager">
          <button type="button" className="small" disabled={page === 0} onClick={() => setPage(page - 1)}>Newer</button>
          <button type="button" className="small" disabled={rows.length < PAGE_ROWS} onClick={() => setPage(page + 1)}>Older</button>
        </div>
      )}
    </div>
  );
}

function rowsOf(columns: Columns, series: number, page: number, format: (value: number) => string): string[][] {
  const rows: string[][] = [];
  let skip = page * PAGE_ROWS;
  for (let index = columns[0].length - 1; index >= 0 && rows.length < PAGE_ROWS; index -= 1) {
    const values = columns.slice(1, series + 1).map((column) => column[index]);
    if (!values.some((value) => typeof value === 'number')) continue;
    if (skip > 0) {
      skip -= 1;
      continue;
    }
    rows.push([clock((columns[0][index] ?? 0) * 1000), ...values.map((value) => (typeof value === 'number' ? format(value) : UNKNOWN))]);
  }
  return rows;
}
