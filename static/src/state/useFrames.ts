import { useEffect, useEffectEvent, useState } from 'react';
import { useServices } from './context';
import type { FrameEntry } from './frameLog';
import { usePaused } from './view';

/** The list is looked through again this often at most, however many frames pass. */
const SHOW_EVERY_MS = 200;

export interface FramesView {
  /** Kept frames, oldest first, as of the last look. */
  readonly entries: readonly FrameEntry[];
  /** Number of the newest frame of all, also of those that came while the view stood still. */
  readonly newest: number;
}

/** The frames that went over the wire; stands still while `held` or while the views are paused, and counts on. */
export function useFrames(held: boolean): FramesView {
  const { frames } = useServices();
  const paused = usePaused();
  const still = held || paused;
  const [view, setView] = useState<FramesView>(() => ({ entries: frames.list(), newest: frames.newest }));
  const look = useEffectEvent(() => {
    setView((before) => ({ entries: still ? before.entries : frames.list(), newest: frames.newest }));
  });
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | null = null;
    const soon = (): void => {
      timer ??= setTimeout(() => {
        timer = null;
        look();
      }, SHOW_EVERY_MS);
    };
    const unwatch = frames.watch(soon);
    soon();
    return () => {
      unwatch();
      if (timer !== null) clearTimeout(timer);
    };
  }, [frames, still]);
  return view;
}
