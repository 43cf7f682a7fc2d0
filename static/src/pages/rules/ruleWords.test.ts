import { describe, expect, it } from 'vitest';
import type { Condition } from '../../api/rules';
import { conditionWords, limitOf, metricsOf, ruleWords, seriesName, severityWords } from './ruleWords';

const CPU: Condition = { kind: 'threshold', metric: 'cpu_percent', comparison: '>', value: 80 };
const MEMORY: Condition = { kind: 'threshold', metric: 'memory_percent', comparison: '>=', value: 75 };

describe('conditions in words', () => {
  it.each<[Condition, string]>([
    [CPU, 'cpu_percent > 80'],
    [{ ...CPU, recovery_value: 70, matchers: ['node="web-1"'] }, 'cpu_percent {node="web-1"} > 80, until 70'],
    [{ kind: 'rate', metric: 'errors', comparison: '<=', value: -10, unit: 'percent', window_seconds: 300 }, 'change of errors ≤ -10 % over 5 min'],
    [{ kind: 'anomaly', metric: 'load1', direction: 'above' }, 'load1 more than 3 standard deviations above its normal'],
    [{ kind: 'absence', metric: 'beat', absent_seconds: 60 }, 'no sample of beat for 1 min'],
    [{ kind: 'composite', op: 'and', conditions: [CPU, { kind: 'composite', op: 'or', conditions: [MEMORY, CPU] }] },
      'cpu_percent > 80 and (memory_percent ≥ 75 or cpu_percent > 80)'],
    [{ kind: 'composite', op: 'not', conditions: [CPU] }, 'not (cpu_percent > 80)'],
    [{ kind: 'expression', expression: 'avg(load1[5m]) > 4' }, 'avg(load1[5m]) > 4'],
    [{ kind: 'threshold' }, '? ? ?'],
  ])('%#', (condition, words) => expect(conditionWords(condition)).toBe(words));

  it('have their time', () => {
    expect(ruleWords({ ...CPU, name: 'n', for_duration_seconds: 90 })).toBe('cpu_percent > 80 for 1 min 30 s');
    expect(ruleWords({ ...CPU, name: 'n', for_duration_seconds: 0 })).toBe('cpu_percent > 80');
  });
});

it('says severities, the mildest first', () => {
  expect([severityWords('CRITICAL'), severityWords(undefined), severityWords({ critical: 95, warning: 80 })])
    .toEqual(['critical', 'warning', 'warning from 80, critical from 95']);
});

it('knows metrics and limits of nested conditions', () => {
  const both: Condition = { kind: 'composite', op: 'and', conditions: [CPU, MEMORY, CPU] };
  expect(metricsOf(both)).toEqual(['cpu_percent', 'memory_percent']);
  expect([limitOf(both, 'memory_percent'), limitOf(both, 'load1'), limitOf(CPU, 'cpu_percent')]).toEqual([75, null, 80]);
});

it('writes series', () => {
  expect([seriesName('m', {}), seriesName('m', { a: '1', b: '2' }), seriesName(null, { a: '1' }), seriesName(null, {})])
    .toEqual(['m', 'm {a=1, b=2}', 'a=1', 'all']);
});
