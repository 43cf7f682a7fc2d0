import { expect, it } from 'vitest';
import type { StoredRun } from '../../api/testing';
import { compareRuns, unlike } from './comparison';

function run(id: string, change: Partial<StoredRun> = {}): StoredRun {
  return {
    id, name: id, scenario: 'paced', status: 'completed', started_at: '2026-11-28T00:00:00Z', ended_at: '2026-11-28T00:00:05Z', started_by: 'ada',
    success_rate: 100, connections: { planned: 25, connected: 25, failed: 0, lost: 0 },
    messages: { published: 50, expected: 1250, delivered: 1250, lost: 0, duplicated: 0, reordered: 0 },
    latency: { p50_ms: 4, p95_ms: 8, p99_ms: 10, p999_ms: 20, max_ms: 40 }, deliveries_per_s: 250, bytes_in: 1000, duration_s: 5,
    server_cpu_s_per_million: 2, ...change,
  };
}

function verdict(a: StoredRun, b: StoredRun, name: string): unknown {
  const row = compareRuns(a, b).find((candidate) => candidate.name === name);
  return row && [row.ratio, row.verdict];
}

const p99 = (p99_ms: number | null): Partial<StoredRun> => ({ latency: { p50_ms: 4, p95_ms: 8, p99_ms, p999_ms: 20, max_ms: 40 } });

it('takes differences under 25 percent for a tie, either way round', () => {
  expect(verdict(run('a'), run('b', p99(12.4)), 'Latency p99')).toEqual([1.24, 'tie']);
  expect(verdict(run('a', p99(12.4)), run('b'), 'Latency p99')?.[1 as never]).toBe('tie');
  expect(verdict(run('a'), run('b', p99(12.5)), 'Latency p99')).toEqual([1.25, 'a']);
  expect(verdict(run('a', p99(12.5)), run('b'), 'Latency p99')).toEqual([0.8, 'b']);
});

it('knows which way is better', () => {
  expect(verdict(run('a'), run('b', { deliveries_per_s: 500 }), 'Deliveries/s')).toEqual([2, 'b']);
  expect(verdict(run('a'), run('b', { duration_s: 10 }), 'Duration')).toEqual([2, 'differs']);
});

it('lets no loss pass as a tie', () => {
  const lost = run('b', { messages: { published: 50, expected: 1250, delivered: 1249, lost: 1, duplicated: 0, reordered: 0 }, success_rate: 96 });
  expect(verdict(run('a'), lost, 'Lost')).toEqual([null, 'a']);
  expect(verdict(run('a'), lost, 'Success rate')).toEqual([0.96, 'a']);
});

it('takes what nobody measured for unknown, not for zero', () => {
  expect(verdict(run('a'), run('b', p99(null)), 'Latency p99')).toEqual([null, 'unknown']);
  expect(verdict(run('a'), run('b', p99(0)), 'Latency p99')?.[1 as never]).toBe('unknown');
  expect(verdict(run('a', { server_cpu_s_per_million: null }), run('b'), 'Hub CPU per million')).toEqual([null, 'unknown']);
});

it('says when two runs were asked for different things, and gives no merit for it', () => {
  const big = run('b', { connections: { planned: 100, connected: 100, failed: 0, lost: 0 }, deliveries_per_s: 1000, status: 'failed' });
  expect(unlike(run('a'), run('c'))).toEqual([]);
  expect(unlike(run('a'), big)).toEqual(['25 connections against 100', 'B is failed']);
  expect(verdict(run('a'), big, 'Deliveries/s')).toEqual([4, 'differs']);
});
