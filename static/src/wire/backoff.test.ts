import { describe, expect, it } from 'vitest';
import { fullJitterDelay, RECONNECT_BACKOFF } from './backoff';

describe('full jitter', () => {
  it('draws from the whole range below the exponential ceiling', () => {
    const ceilings = [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000];
    ceilings.forEach((ceiling, attempt) => {
      expect(fullJitterDelay(attempt, () => 0)).toBe(0);
      expect(fullJitterDelay(attempt, () => 0.5)).toBe(ceiling / 2);
      expect(fullJitterDelay(attempt, () => 0.999_999)).toBe(ceiling - 1);
    });
  });

  it('never leaves the bounds, however many attempts failed', () => {
    for (const attempt of [-3, 0, 31, 1_000, Number.MAX_SAFE_INTEGER]) {
      const delay = fullJitterDelay(attempt, () => 0.999_999);
      expect(delay).toBeGreaterThanOrEqual(0);
      expect(delay).toBeLessThan(RECONNECT_BACKOFF.cap_ms);
    }
  });
});
