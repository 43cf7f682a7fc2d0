import { describe, expect, it } from 'vitest';
import { SeriesBuffer } from '../state/seriesBuffer';
import { align, nearestFilled } from './align';

function buffer(points: [number, number][]): SeriesBuffer {
  const made = new SeriesBuffer(1_000, 100);
  for (const [second, value] of points) made.push(second * 1_000, value);
  return made;
}

describe('align', () => {
  it('puts series with different times on one axis', () => {
    const columns = align([buffer([[1, 10], [3, 30]]), buffer([[2, 20]])], 1_000, 3_000);
    expect(columns).toEqual([[1, 2, 3], [10, undefined, 30], [undefined, 20, undefined]]);
  });

  it('breaks the line where nothing was heard for long, and only there', () => {
    const [, column] = align([buffer([[0, 1], [5, 2], [20, 3]])], 0, 20_000);
    expect(column?.[19]).toBeNull();
    expect(column?.filter((value) => value === null)).toHaveLength(1);
  });

  it('shows nothing of what is outside of the window', () => {
    const columns = align([buffer([[1, 1], [9, 9]])], 2_000, 4_000);
    expect(columns[0]).toEqual([2, 3, 4]);
    expect(columns[1]).toEqual([undefined, undefined, undefined]);
  });

  it('has an axis even without series', () => {
    expect(align([], 0, 2_000)).toEqual([[0, 1, 2]]);
  });
});

describe('nearestFilled', () => {
  const columns = align([buffer([[1, 10], [4, 40]])], 0, 5_000);

  it('finds the next point in a direction', () => {
    expect(nearestFilled(columns, 3, -1)).toBe(1);
    expect(nearestFilled(columns, 2, 1)).toBe(4);
  });

  it('says when there is none', () => {
    expect(nearestFilled(columns, 0, -1)).toBe(-1);
    expect(nearestFilled(columns, 5, 1)).toBe(-1);
  });
});
