import { createContext, use, useCallback } from 'react';
import { useSearchParams } from 'react-router';

export const RANGES = [
  { id: '5m', label: 'Last 5 minutes', short: '5 min', ms: 5 * 60_000 },
  { id: '15m', label: 'Last 15 minutes', short: '15 min', ms: 15 * 60_000 },
  { id: '1h', label: 'Last hour', short: '1 h', ms: 3_600_000 },
  { id: '6h', label: 'Last 6 hours', short: '6 h', ms: 6 * 3_600_000 },
  { id: '24h', label: 'Last 24 hours', short: '24 h', ms: 24 * 3_600_000 },
] as const;

export type Range = (typeof RANGES)[number];
export const DEFAULT_RANGE: Range = RANGES[1];

/** Whether the views stand still; the connection goes on underneath. */
export interface ViewControls {
  readonly paused_at_ms: number | null;
  readonly togglePause: () => void;
}

export const ViewContext = createContext<ViewControls>({ paused_at_ms: null, togglePause: () => undefined });

export function useViewControls(): ViewControls {
  return use(ViewContext);
}

export function usePaused(): boolean {
  return use(ViewContext).paused_at_ms !== null;
}

/** The time range in the URL (`?range=1h`). */
export function useRange(): readonly [Range, (id: string) => void] {
  const [parameters] = useSearchParams();
  const [, set] = useParameter('range');
  const id = parameters.get('range');
  return [RANGES.find((range) => range.id === id) ?? DEFAULT_RANGE, (next) => set(next === DEFAULT_RANGE.id ? null : next)];
}

/** One filter in the URL. Setting `null` or the empty string takes it out. Does not add to the browser's history. */
export function useParameter(name: string): readonly [string | null, (value: string | null) => void] {
  const [parameters, setParameters] = useSearchParams();
  const set = useCallback(
    (value: string | null) => {
      setParameters((before) => {
        const after = new URLSearchParams(before);
        if (value === null || value === '') after.delete(name);
        else after.set(name, value);
        return after;
      }, { replace: true });
    },
    [name, setParameters],
  );
  return [parameters.get(name), set];
}
