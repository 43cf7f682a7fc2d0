import { useEffect, useEffectEvent } from 'react';
import { useServices } from '../state/context';
import { frames } from '../state/frameScheduler';
import { onTick } from '../state/ticker';
import { usePaused } from '../state/view';

/** New samples draw a chart at most this often. */
const MIN_REDRAW_MS = 250;
/** Without new samples the clock moves a chart along this often. */
const IDLE_REDRAW_MS = 900;

/** Calls `draw` within animation frames: when samples came, each second, and not while the view is paused. */
export function useDrawLoop(draw: () => void): void {
  const { series } = useServices();
  const paused = usePaused();
  const onDraw = useEffectEvent(draw);
  useEffect(() => {
    if (paused) return;
    let drawn_ms = 0;
    const run = (): void => {
      drawn_ms = performance.now();
      onDraw();
    };
    const request = (): void => frames.request(run);
    const requestAfter = (rest_ms: number) => () => {
      if (performance.now() - drawn_ms >= rest_ms) request();
    };
    const unwatch = series.watch(requestAfter(MIN_REDRAW_MS));
    const untick = onTick(requestAfter(IDLE_REDRAW_MS));
    request();
    return () => {
      unwatch();
      untick();
      frames.cancel(run);
    };
  }, [series, paused]);
}

/** Calls `resize` with the width of the element in CSS pixels, now and whenever it changes. */
export function observeWidth(element: Element, resize: (width: number) => void): () => void {
  const observer = new ResizeObserver((entries) => {
    const width = Math.floor(entries[0]?.contentRect.width ?? 0);
    if (width > 0) resize(width);
  });
  observer.observe(element);
  return () => observer.disconnect();
}
