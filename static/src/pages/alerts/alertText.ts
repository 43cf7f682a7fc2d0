import { HUB_ACTOR } from '../../api/alerts';
import { count, plain, UNKNOWN } from '../../format/numbers';
import { duration } from '../../format/times';

/** A value of which nobody knows the unit. */
export function valueText(value: number | null | undefined): string {
  if (typeof value !== 'number' || !Number.isFinite(value)) return UNKNOWN;
  const size = Math.abs(value);
  if (size >= 10_000) return count(value);
  return plain(size >= 100 ? Number(value.toFixed(1)) : Number(value.toFixed(2)));
}

/** `4 min`, `35 s`; minutes of the statistics. */
export function minutesText(minutes: number | null | undefined): string {
  return typeof minutes === 'number' ? duration(minutes * 60) : UNKNOWN;
}

/** Who did something. */
export function actorText(actor: string): string {
  return actor === HUB_ACTOR ? 'the hub' : actor;
}
