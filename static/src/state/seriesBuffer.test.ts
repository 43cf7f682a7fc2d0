import { describe, expect, it } from 'vitest';
import { SeriesBuffer } from './seriesBuffer';

function pointsOf(buffer: SeriesBuffer): [number, number][] {
  const points: [number, number][] = [];
  buffer.each(-Infinity, Infinity, (at_ms, value) => points.push([at_ms, value]));
  return points;
}

describe('SeriesBuffer', () => {
  it('keeps the newest points when it is full', () => {
    const buffer = new SeriesBuffer(1_000, 3);
    for (let second = 0; second < 5; second += 1) buffer.push(second * 1_000, second);
    expect(pointsOf(buffer)).toEqual([[2_000, 2], [3_000, 3], [4_000, 4]]);
    expect(buffer.oldestAt()).toBe(2_000);
    expect(buffer.newest()).toEqual({ at_ms: 4_000, value: 4 });
  });

  it('averages what falls into the newest step and ignores what is older', () => {
    const buffer = new SeriesBuffer(10_000, 8);
    buffer.push(12_000, 1);
    buffer.push(14_000, 2);
    buffer.push(19_999, 6);
    buffer.push(5_000, 100);
    expect(pointsOf(buffer)).toEqual([[10_000, 3]]);
  });

  it('puts the history before what arrived live meanwhile', () => {
    const buffer = new SeriesBuffer(1_000, 8);
    buffer.push(3_000, 30);
    buffer.push(4_000, 40);
    buffer.preload([[1_000, 1], [2_000, null], [3_000, 3]]);
    expect(pointsOf(buffer)).toEqual([[1_000, 1], [3_000, 3], [4_000, 40]]);
  });

  it('says nothing about an empty series', () => {
    const buffer = new SeriesBuffer(1_000, 8);
    expect(buffer.newest()).toBeNull();
    expect(buffer.oldestAt()).toBeNull();
  });
});
