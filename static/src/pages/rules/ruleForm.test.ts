import { describe, expect, it } from 'vitest';
import type { RuleDefinition } from '../../api/rules';
import { emptyCondition, lines, withKind } from './conditionForm';
import { emptyRule, errorsOf, readRule, ruleForm, type RuleForm } from './ruleForm';

const FULL: RuleDefinition = {
  name: 'CPU is busy', enabled: false, kind: 'threshold', metric: 'cpu_percent', matchers: ['node=~"web-(1|2)"', 'zone!=a'], comparison: '>=', value: 80.5,
  recovery_value: 70, for_duration_seconds: 90, keep_firing_seconds: 30, severity: { warning: 80, critical: 95 }, labels: { team: 'a=b' },
  annotations: { title: 'CPU of {{node}}', message: 'm', dashboard: 'd' }, group_by: ['node', 'zone'], runbook_url: 'https://example.org', no_data: 'ok',
  no_data_seconds: 600, escalation_policy_id: 'p', auto_resolve_seconds: 3_600, flap: { transitions: 5, window_seconds: 300 },
};
const written = (form: RuleForm): RuleDefinition | null => {
  const read = readRule(form);
  return 'definition' in read ? read.definition : null;
};
const wrong = (form: RuleForm): object => {
  const read = readRule(form);
  return 'errors' in read ? read.errors : {};
};

describe('a stored rule', () => {
  it('comes back from the form as it was', () => {
    expect(written(ruleForm(FULL))).toEqual(FULL);
  });

  it.each<RuleDefinition>([
    { kind: 'rate', name: 'r', metric: 'errors', comparison: '>', value: 1, unit: 'percent', window_seconds: 300 },
    { kind: 'anomaly', name: 'a', metric: 'load1', direction: 'above', window_points: 50, samples_min: 20, sigma: 4, seasonal: true },
    { kind: 'absence', name: 'b', metric: 'beat', absent_seconds: 60 },
    { kind: 'expression', name: 'e', expression: 'avg(load1[5m]) > 4' },
    {
      kind: 'composite', name: 'c', op: 'and', conditions: [
        { kind: 'threshold', metric: 'cpu_percent', comparison: '>', value: 80 },
        { kind: 'composite', op: 'not', conditions: [{ kind: 'absence', metric: 'beat', absent_seconds: 60 }] },
      ],
    },
  ])('of every kind: $kind', (rule) => expect(written(ruleForm(rule))).toMatchObject(rule));

  it('keeps fields that the form does not know, and those of the hub out', () => {
    const rule = { ...FULL, weight: 3, version: 3, live: {}, created_by: 'ada' };
    expect(written(ruleForm(rule))).toEqual({ ...FULL, weight: 3 });
  });

  it('reads severities in any case and by their other names', () => {
    expect([ruleForm({ ...FULL, severity: 'HIGH' }).severity, ruleForm({ ...FULL, severity: 'Critical' }).severity]).toEqual(['error', 'critical']);
  });
});

describe('what was typed', () => {
  it('is told of where it is wrong', () => {
    const form = { ...emptyRule(), for_duration_seconds: 'soon', severity: 'by_value' as const, labels: 'team', flap_transitions: '3' };
    expect(wrong(form)).toEqual({
      '/name': 'It is needed', '/metric': 'It is needed', '/value': 'A number is needed', '/for_duration_seconds': 'A time is needed, such as 30s, 5m or 1h',
      '/severity': 'At least one severity needs a value', '/labels': 'Each line is name=value, not team',
      '/flap/window_seconds': 'A time is needed, such as 30s, 5m or 1h',
    });
  });

  it('of a composite is told of by the place of each condition', () => {
    const condition = withKind({ ...emptyCondition(), metric: 'cpu_percent', value: '80' }, 'composite');
    expect(wrong({ ...emptyRule(), name: 'n', condition })).toEqual({
      '/conditions/1/metric': 'It is needed', '/conditions/1/value': 'A number is needed',
    });
  });

  it('of one kind is not sent with another', () => {
    const condition = { ...emptyCondition('absence'), metric: 'beat', value: '3', sigma: '4' };
    expect(written({ ...emptyRule(), name: 'n', condition })).toEqual({
      name: 'n', enabled: true, kind: 'absence', metric: 'beat', absent_seconds: 300, for_duration_seconds: 60, keep_firing_seconds: 0, severity: 'warning',
      labels: {}, annotations: {}, group_by: [], no_data: 'keep',
    });
  });
});

it('splits lists at commas and lines, but not inside quotation marks and braces', () => {
  expect(lines('a="x, y", b=~c{1,3}\n\n c!=d ,')).toEqual(['a="x, y"', 'b=~c{1,3}', 'c!=d']);
});

it('puts what the hub found at the fields of the form', () => {
  expect(errorsOf([
    { pointer: '/rule/value', detail: 'v' }, { pointer: '/rule/matchers/1', detail: 'm' }, { pointer: '/rule/matchers/2', detail: 'n' },
    { pointer: '/rule/conditions/0/matchers/0', detail: 'c' }, { pointer: '/rule/annotations/title', detail: 't' }, { pointer: '/rule/annotations/x', detail: 'x' },
  ], '/rule')).toEqual({ '/value': 'v', '/matchers': 'm', '/conditions/0/matchers': 'c', '/annotations/title': 't', '/annotations': 'x' });
});
