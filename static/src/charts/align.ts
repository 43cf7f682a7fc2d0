import type { SeriesBuffer } from '../state/seriesBuffer';

/** x in seconds, then one column per series: a value, `null` for a gap, `undefined` where only another series has a point. */
export type Columns = [number[], ...(number | null | undefined)[][]];

/** Two points further apart than this are not joined by a line: the node was not heard in between. */
export const GAP_MS = 10_000;

/** How far apart two points of a series may be before the node counts as not heard in between. */
export function gapOf(step_ms: number): number {
  return Math.max(GAP_MS, 3 * step_ms);
}

/** Puts several series of the same step on one time axis over `[since_ms, until_ms]`. */
export function align(buffers: readonly SeriesBuffer[], since_ms: number, until_ms: number): Columns {
  const step_ms = buffers[0]?.step_ms ?? 1_000;
  const first = Math.ceil(since_ms / step_ms);
  const size = Math.max(0, Math.floor(until_ms / step_ms) - first + 1);
  const gap_ms = gapOf(step_ms);
  const x = Array.from({ length: size }, (_, index) => ((first + index) * step_ms) / 1000);
  const columns: Columns = [x];
  for (const buffer of buffers) {
    const column = new Array<number | null | undefined>(size).fill(undefined);
    let previous_ms = -Infinity;
    buffer.each(since_ms, until_ms, (at_ms, value) => {
      const index = Math.round(at_ms / step_ms) - first;
      if (index < 0 || index >= size) return;
      column[index] = value;
      if (at_ms - previous_ms > gap_ms && previous_ms > -Infinity) column[index - 1] = null;
      previous_ms = at_ms;
    });
    columns.push(column);
  }
  return columns;
}

/** The newest index at or before `from` that has a value in any column; -1 when there is none. */
export function nearestFilled(columns: Columns, from: number, direction: -1 | 1): number {
  const size = columns[0].length;
  for (let index = from; index >= 0 && index < size; index += direction) {
    if (columns.some((column, position) => position > 0 && typeof column[index] === 'number')) return index;
  }
  return -1;
}
