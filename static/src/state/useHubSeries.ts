import { useEffect } from 'react';
import { unixMs } from '../format/times';
import { useServices } from './context';

/** Series of the hub's own figures live under this name: no node can have it, a node name has no space. */
export const HUB = 'hub figures';

/** Appends figures of the hub to their series; the hub keeps no history of them, so it begins when the page is opened. */
export function useHubSeries(at: string | undefined, values: Readonly<Record<string, number | null | undefined>>): void {
  const { series } = useServices();
  const at_ms = unixMs(at);
  const written = JSON.stringify(values);
  useEffect(() => {
    if (at_ms === null) return;
    for (const [name, value] of Object.entries(JSON.parse(written) as Record<string, number | null>)) {
      if (typeof value === 'number') series.ingest(HUB, name, at_ms, value);
    }
    series.notify();
  }, [series, at_ms, written]);
}
