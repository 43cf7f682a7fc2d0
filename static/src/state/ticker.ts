import { useSyncExternalStore } from 'react';

/** One timer for everything that shows an age: it runs only while somebody looks. */
const watchers = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | null = null;
let now_ms = Date.now();

function tick(): void {
  now_ms = Date.now();
  for (const watcher of watchers) watcher();
}

export function onTick(watcher: () => void): () => void {
  watchers.add(watcher);
  if (timer === null) {
    now_ms = Date.now();
    timer = setInterval(tick, 1_000);
  }
  return () => {
    watchers.delete(watcher);
    if (watchers.size === 0 && timer !== null) {
      clearInterval(timer);
      timer = null;
    }
  };
}

/** The browser's clock in Unix milliseconds, renewed each second. */
export function useNow(): number {
  return useSyncExternalStore(onTick, () => now_ms);
}
