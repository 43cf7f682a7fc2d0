import type { Bucket, RunLatency, RunStatus } from '../api/testing';
import { isObject, number, text, type Json, type JsonObject } from '../wire/envelope';

/** What a running load test says of itself about twice a second. */
export interface Progress {
  readonly phase: string;
  readonly elapsed_s: number;
  readonly connected: number | null;
  readonly published: number | null;
  readonly delivered: number | null;
  readonly lost: number | null;
  readonly duplicated: number | null;
  readonly reordered: number | null;
  readonly deliveries_per_s: number | null;
  readonly latency: RunLatency;
  readonly histogram: readonly Bucket[];
}

/** A stretch of a run, as far as it was seen. */
export interface PhaseSeen {
  readonly name: string;
  readonly from_s: number;
  readonly to_s: number;
}

/** A run as it was followed from the first message that arrived of it. */
export interface LiveRun {
  readonly id: string;
  readonly name: string;
  readonly scenario: string;
  readonly status: RunStatus;
  readonly progress: Progress | null;
  /** Seconds since the start, deliveries per second. */
  readonly rates: readonly (readonly [number, number])[];
  readonly phases: readonly PhaseSeen[];
}

/** Points of the course of a run; with more, every other one is left out. */
export const RATES_MAX = 600;
const STATUSES: readonly RunStatus[] = ['running', 'completed', 'failed', 'cancelled'];

/** The run after one more message of the topic `testing`; messages about other things leave it as it is. */
export function afterMessage(live: LiveRun | null, payload: Json): LiveRun | null {
  if (!isObject(payload) || !isObject(payload.run)) return live;
  const { run } = payload;
  const id = text(run.id);
  if (id === null) return live;
  const status = STATUSES.find((known) => known === run.status) ?? 'running';
  const known: LiveRun = live?.id === id
    ? live
    : { id, name: text(run.name) ?? '', scenario: text(run.scenario) ?? '', status, progress: null, rates: [], phases: [] };
  if (!isObject(payload.progress)) return known.status === status && known === live ? live : { ...known, status };
  // What is over stays over, and a message from before the newest one says nothing new.
  const progress = progressOf(payload.progress);
  if (known.status !== 'running' || (known.progress !== null && progress.elapsed_s < known.progress.elapsed_s)) return known;
  const rate = progress.deliveries_per_s;
  return {
    ...known, status, progress,
    rates: rate === null ? known.rates : thinned([...known.rates, [progress.elapsed_s, rate]]),
    phases: phasesAfter(known.phases, progress),
  };
}

function thinned(rates: readonly (readonly [number, number])[]): readonly (readonly [number, number])[] {
  return rates.length <= RATES_MAX ? rates : rates.filter((_, index) => index % 2 === 0 || index === rates.length - 1);
}

function phasesAfter(phases: readonly PhaseSeen[], { phase, elapsed_s }: Progress): readonly PhaseSeen[] {
  const last = phases.at(-1);
  if (last?.name === phase) return [...phases.slice(0, -1), { ...last, to_s: elapsed_s }];
  return [...phases, { name: phase, from_s: last?.to_s ?? 0, to_s: elapsed_s }];
}

function progressOf(value: JsonObject): Progress {
  const latency = isObject(value.latency) ? value.latency : {};
  const histogram = Array.isArray(value.histogram) ? value.histogram : [];
  return {
    phase: text(value.phase) ?? 'running',
    elapsed_s: number(value.elapsed_s) ?? 0,
    connected: number(value.connected),
    published: number(value.published),
    delivered: number(value.delivered),
    lost: number(value.lost),
    duplicated: number(value.duplicated),
    reordered: number(value.reordered),
    deliveries_per_s: number(value.deliveries_per_s),
    latency: {
      p50_ms: number(latency.p50_ms), p95_ms: number(latency.p95_ms), p99_ms: number(latency.p99_ms), p999_ms: number(latency.p999_ms),
      max_ms: number(latency.max_ms),
    },
    histogram: histogram.filter(isObject).flatMap((bucket) => {
      const [le_ms, deliveries] = [number(bucket.le_ms), number(bucket.count)];
      return le_ms === null || deliveries === null ? [] : [{ le_ms, count: deliveries }];
    }),
  };
}
