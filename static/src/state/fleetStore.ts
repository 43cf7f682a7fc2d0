import type { Inventory, Metrics, NodeState } from '../api/types';
import { unixMs } from '../format/times';
import { isObject, number, text, type Json, type JsonObject, type Message } from '../wire/envelope';
import type { SeriesStore } from './seriesStore';

/** The newest snapshot of one node from the socket. `at_ms` is the hub's clock. */
export interface LiveSnapshot {
  readonly at_ms: number;
  readonly metrics: Metrics;
}

/** What the topic `nodes` last said about a node. `received_at_ms` is the browser's clock. */
export interface NodeNews {
  readonly state: NodeState | null;
  readonly received_at_ms: number;
  readonly labels: Readonly<Record<string, string>> | null;
  readonly inventory: Inventory | null;
}

export interface LabelledSample {
  readonly series: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly at_ms: number;
}

/** A labelled series that was not seen for this long is gone (an unplugged disk, a removed interface). */
const SAMPLE_TTL_MS = 60_000;
const STATES: ReadonlySet<string> = new Set(['enrolling', 'online', 'late', 'offline', 'retired']);

/** `cpu_core_percent{core=0}`; the bare name for a sample without labels. */
export function seriesKey(name: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).sort(([left], [right]) => left.localeCompare(right));
  return pairs.length === 0 ? name : `${name}{${pairs.map(([key, value]) => `${key}=${value}`).join(',')}}`;
}

/** Live state of the fleet. Views see a change at most once per animation frame, and none while the view is paused. */
export class FleetStore {
  private readonly live = new Map<string, LiveSnapshot>();
  private readonly news = new Map<string, NodeNews>();
  private readonly samples = new Map<string, Map<string, LabelledSample>>();
  private readonly published_samples = new Map<string, readonly LabelledSample[]>();
  private shown_live = new Map<string, LiveSnapshot>();
  private readonly changed = new Set<string>();
  private readonly watchers = new Set<() => void>();
  private paused = false;
  /** Grows each time the views are told of a change. */
  version = 0;
  private publishing = false;

  constructor(
    private readonly series: SeriesStore,
    /** Called when the REST list of nodes has to be read again. */
    private readonly onNews: () => void,
    private readonly schedule: (publish: () => void) => void = (publish) => requestAnimationFrame(publish),
  ) {}

  watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  snapshot(node: string): LiveSnapshot | null {
    return this.shown_live.get(node) ?? null;
  }

  newsOf(node: string): NodeNews | null {
    return this.news.get(node) ?? null;
  }

  samplesOf(node: string): readonly LabelledSample[] {
    return this.published_samples.get(node) ?? NO_SAMPLES;
  }

  setPaused(paused: boolean): void {
    this.paused = paused;
    if (!paused) this.publishSoon();
  }

  /** A message of `metrics_update`. */
  onMetrics = (message: Message): void => {
    if (!isObject(message.payload) || !isObject(message.payload.metrics)) return;
    const node = text(message.payload.node);
    const at_ms = unixMs(text(message.payload.timestamp) ?? message.timestamp);
    if (node === null || at_ms === null) return;
    if ((this.live.get(node)?.at_ms ?? -Infinity) > at_ms) return;
    const metrics: Record<string, number | null> = {};
    for (const [name, raw] of Object.entries(message.payload.metrics)) {
      const value = number(raw);
      metrics[name] = value;
      if (value !== null) this.series.ingest(node, name, at_ms, value);
    }
    if (!this.live.has(node)) this.onNews();
    this.live.set(node, { at_ms, metrics });
    this.series.notify();
    this.changed.add(node);
    this.publishSoon();
  };

  /** A message of `metrics:{node}`. */
  onSamples = (message: Message): void => {
    if (!isObject(message.payload) || !Array.isArray(message.payload.samples)) return;
    const node = text(message.payload.node);
    const at_ms = unixMs(text(message.payload.timestamp) ?? message.timestamp);
    if (node === null || at_ms === null) return;
    const known = this.samples.get(node) ?? new Map<string, LabelledSample>();
    this.samples.set(node, known);
    for (const raw of message.payload.samples.filter(isObject)) {
      const name = text(raw.name);
      const value = number(raw.value);
      const labels = labelsOf(raw.labels);
      if (name === null || value === null || Object.keys(labels).length === 0) continue;
      const series = seriesKey(name, labels);
      known.set(series, { series, name, labels, value, at_ms });
      this.series.ingest(node, series, at_ms, value);
    }
    for (const [series, sample] of known) if (at_ms - sample.at_ms > SAMPLE_TTL_MS) known.delete(series);
    this.series.notify();
    this.changed.add(node);
    this.publishSoon();
  };

  /** A message of `nodes`. */
  onNode = (message: Message): void => {
    if (!isObject(message.payload)) return;
    const node = text(message.payload.node);
    if (node === null) return;
    const event = text(message.payload.event) ?? '';
    const previous = this.news.get(node);
    this.news.set(node, {
      state: STATES.has(event) ? (event as NodeState) : (previous?.state ?? null),
      received_at_ms: Date.now(),
      labels: isObject(message.payload.labels) ? labelsOf(message.payload.labels) : (previous?.labels ?? null),
      inventory: inventoryOf(message.payload) ?? previous?.inventory ?? null,
    });
    this.onNews();
    this.publishSoon();
  };

  private publishSoon(): void {
    if (this.paused || this.publishing) return;
    this.publishing = true;
    this.schedule(() => {
      this.publishing = false;
      if (this.paused) return;
      for (const node of this.changed) this.publish(node);
      this.changed.clear();
      this.version += 1;
      for (const watcher of this.watchers) watcher();
    });
  }

  private publish(node: string): void {
    const live = this.live.get(node);
    if (live !== undefined) this.shown_live.set(node, live);
    const samples = this.samples.get(node);
    if (samples !== undefined) this.published_samples.set(node, [...samples.values()]);
  }
}

const NO_SAMPLES: readonly LabelledSample[] = [];

function labelsOf(value: Json | undefined): Record<string, string> {
  const labels: Record<string, string> = {};
  if (isObject(value)) for (const [key, raw] of Object.entries(value)) if (typeof raw === 'string') labels[key] = raw;
  return labels;
}

function inventoryOf(payload: JsonObject): Inventory | null {
  return isObject(payload.inventory) ? (payload.inventory) : null;
}
