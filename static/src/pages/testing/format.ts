import type { StoredRun, Threshold } from '../../api/testing';
import { count, perSecond, percent, UNKNOWN } from '../../format/numbers';

/** A latency with three digits, whatever its size: `0.42 ms`, `12.3 ms`, `1.20 s`. */
export function latency(value: number | null | undefined): string {
  // No message takes no time at all: zero is a latency that nobody measured.
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) return UNKNOWN;
  if (value >= 999.5) return `${(value / 1000).toFixed(2)} s`;
  return `${value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2)} ms`;
}

/** Lost, duplicated and reordered messages together; `null` when nobody counted. */
export function wrongMessages(run: StoredRun): number | null {
  const { messages } = run;
  return messages ? messages.lost + messages.duplicated + messages.reordered : null;
}

const THRESHOLDS: Readonly<Record<string, { readonly title: string; readonly sign: string; readonly format: (value: number | null) => string }>> = {
  p50_ms: { title: 'Latency p50', sign: 'at most', format: latency },
  p95_ms: { title: 'Latency p95', sign: 'at most', format: latency },
  p99_ms: { title: 'Latency p99', sign: 'at most', format: latency },
  p999_ms: { title: 'Latency p99.9', sign: 'at most', format: latency },
  error_rate: { title: 'Errors', sign: 'at most', format: (value) => percent(value === null ? null : value * 100) },
  connection_success: { title: 'Connected', sign: 'at least', format: (value) => percent(value === null ? null : value * 100) },
  throughput_min: { title: 'Deliveries/s', sign: 'at least', format: perSecond },
};

/** A threshold in words: `Latency p99`, `at most 50 ms`, `12.3 ms`. */
export function thresholdText(threshold: Threshold): { readonly title: string; readonly limit: string; readonly measured: string } {
  const known = THRESHOLDS[threshold.name];
  if (known === undefined) return { title: threshold.name.replaceAll('_', ' '), limit: count(threshold.limit), measured: count(threshold.measured) };
  return { title: known.title, limit: `${known.sign} ${known.format(threshold.limit)}`, measured: known.format(threshold.measured) };
}

/** The truth about a run in one sentence. */
export function verdictText(run: StoredRun): string {
  if (run.status === 'running') return 'It still runs.';
  if (run.failure) return run.failure;
  if (run.status === 'cancelled') return 'It was stopped before its end; what was measured until then is below.';
  const missed = run.thresholds?.filter((threshold) => !threshold.held).length ?? 0;
  const wrong = wrongMessages(run);
  const parts = [
    wrong === null ? null : wrong === 0 ? 'Every message arrived once and in order' : `${count(wrong)} ${wrong === 1 ? 'message was' : 'messages were'} lost, doubled or out of order`,
    missed > 0 ? `${missed} of ${run.thresholds?.length ?? 0} thresholds missed` : null,
  ].filter((part) => part !== null);
  return parts.length === 0 ? 'Nothing was measured.' : `${parts.join('; ')}.`;
}
