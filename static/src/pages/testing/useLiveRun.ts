import { useSyncExternalStore } from 'react';
import { useServices } from '../../state/context';
import type { LiveRun } from '../../state/runProgress';

/** The run that the topic `testing` last told of. */
export function useLiveRun(): LiveRun | null {
  const { lab } = useServices();
  return useSyncExternalStore(lab.watch, lab.run);
}
