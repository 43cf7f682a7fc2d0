import type { Counts } from '../api/delivery';
import { count } from './numbers';

/** Names and counts above zero, the greatest first. */
export function ranked(counts: Counts | undefined): [string, number][] {
  return Object.entries(counts ?? {}).filter(([, number]) => number > 0).sort(([, left], [, right]) => right - left);
}

/** `12 slow, 3 filter`; `none` in other words when there is nothing. */
export function countsText(counts: Counts | undefined, none: string): string {
  const parts = ranked(counts).map(([name, number]) => `${count(number)} ${words(name)}`);
  return parts.length === 0 ? none : parts.join(', ');
}

export function words(name: string): string {
  return name.replaceAll('_', ' ');
}
