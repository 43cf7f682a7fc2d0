/** Bounds of the reconnect back-off, in milliseconds. */
export interface BackoffLimits {
  readonly base_ms: number;
  readonly cap_ms: number;
}

export const RECONNECT_BACKOFF: BackoffLimits = { base_ms: 500, cap_ms: 15_000 };

/**
 * Exponential back-off with full jitter: a uniform draw from `[0, min(cap, base * 2^attempt))`.
 *
 * `attempt` counts from 0. `random` returns values in `[0, 1)`. Full jitter spreads a fleet of browsers that lost
 * the same hub at the same moment.
 */
export function fullJitterDelay(attempt: number, random: () => number, limits: BackoffLimits = RECONNECT_BACKOFF): number {
  const exponent = Math.min(Math.max(attempt, 0), 30);
  const ceiling = Math.min(limits.cap_ms, limits.base_ms * 2 ** exponent);
  return Math.floor(random() * ceiling);
}
