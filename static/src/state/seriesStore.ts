import type { ApiClient } from '../api/client';
import { ApiError } from '../api/problem';
import type { History } from '../api/types';
import { SeriesBuffer } from './seriesBuffer';

/** Points a chart holds at most, whatever its range. */
export const POINTS = 900;
/** Series nobody looks at any more that are kept, so that going back to a page shows its charts at once. */
const IDLE_BOUND = 120;
const MIN_STEP_MS = 1_000;
const PARALLEL_LOADS = 4;

export type LoadState = 'loading' | 'ready' | 'failed';

/** One series over one range: shared by every chart that shows it. */
export interface LiveSeries {
  readonly node: string;
  readonly series: string;
  readonly range_ms: number;
  readonly buffer: SeriesBuffer;
  load: LoadState;
}

interface Entry extends LiveSeries {
  users: number;
  readonly has_history: boolean;
}

/** Buffers behind the charts: preloaded from history, appended to from the socket. */
export class SeriesStore {
  private readonly entries = new Map<string, Entry>();
  private readonly by_series = new Map<string, Set<Entry>>();
  private readonly watchers = new Set<() => void>();
  private readonly waiting: Entry[] = [];
  private loading = 0;

  constructor(private readonly api: ApiClient) {}

  /** The series, made when it is new. `has_history`: whether the hub keeps it; others start empty. */
  get(node: string, series: string, range_ms: number, has_history: boolean): LiveSeries {
    const known = this.entries.get(keyOf(node, series, range_ms));
    if (known !== undefined) return known;
    const step_ms = Math.max(MIN_STEP_MS, range_ms / POINTS);
    const buffer = new SeriesBuffer(step_ms, POINTS + 8);
    const entry: Entry = { node, series, range_ms, buffer, load: has_history ? 'loading' : 'ready', users: 0, has_history };
    this.insert(entry);
    if (has_history) this.enqueue(entry);
    return entry;
  }

  /** Keeps the series from being forgotten until the returned function is called. */
  retain(series: LiveSeries): () => void {
    const entry = series as Entry;
    // Entries are in order of last use: the idle ones that go first are the oldest.
    this.entries.delete(keyOf(entry.node, entry.series, entry.range_ms));
    this.insert(entry);
    entry.users += 1;
    return () => {
      entry.users -= 1;
      this.forgetIdle();
    };
  }

  private forgetIdle(): void {
    const idle = [...this.entries].filter(([, entry]) => entry.users === 0);
    for (const [key, entry] of idle.slice(0, Math.max(0, idle.length - IDLE_BOUND))) {
      this.entries.delete(key);
      this.by_series.get(`${entry.node}\n${entry.series}`)?.delete(entry);
    }
  }

  ingest(node: string, series: string, at_ms: number, value: number): void {
    const entries = this.by_series.get(`${node}\n${series}`);
    if (entries === undefined) return;
    for (const entry of entries) entry.buffer.push(at_ms, value);
  }

  /** Tells the charts that buffers may have changed; called once per frame of the socket, not per sample. */
  notify(): void {
    for (const watcher of this.watchers) watcher();
  }

  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** Fills what was missed while the socket was away. */
  reload(): void {
    for (const entry of this.entries.values()) if (entry.has_history) this.enqueue(entry);
  }

  private insert(entry: Entry): void {
    this.entries.set(keyOf(entry.node, entry.series, entry.range_ms), entry);
    const key = `${entry.node}\n${entry.series}`;
    const entries = this.by_series.get(key) ?? new Set<Entry>();
    entries.add(entry);
    this.by_series.set(key, entries);
  }

  private enqueue(entry: Entry): void {
    if (!this.waiting.includes(entry)) this.waiting.push(entry);
    this.pump();
  }

  private pump(): void {
    while (this.loading < PARALLEL_LOADS) {
      const entry = this.waiting.shift();
      if (entry === undefined) return;
      this.loading += 1;
      void this.load(entry).finally(() => {
        this.loading -= 1;
        this.notify();
        this.pump();
      });
    }
  }

  private async load(entry: Entry): Promise<void> {
    const until_ms = Date.now();
    try {
      const history = await this.api.get<History>('/api/v1/streaming/metrics/history', {
        node: entry.node,
        metric: entry.series,
        since: new Date(until_ms - entry.range_ms).toISOString(),
        points: POINTS,
      });
      entry.buffer.preload(history.points);
      entry.load = 'ready';
    } catch (error) {
      // A node without samples yet has no history: that is empty, not broken.
      entry.load = error instanceof ApiError && error.status === 404 ? 'ready' : 'failed';
    }
  }
}

function keyOf(node: string, series: string, range_ms: number): string {
  return `${node}\n${series}\n${range_ms}`;
}
