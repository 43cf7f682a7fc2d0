import type { Labels } from '../../api/alerts';
import { SEVERITIES } from '../../api/delivery';
import type { Condition, RuleDefinition, SeverityChoice } from '../../api/rules';
import { plain } from '../../format/numbers';
import { spokenSeconds } from '../../format/seconds';

const SIGNS: Readonly<Record<string, string>> = { '>': '>', '>=': '≥', '<': '<', '<=': '≤', '==': '=', '!=': '≠' };

const number = (value: number | undefined): string => (value === undefined ? '?' : plain(value));
const sign = (comparison: string | undefined): string => SIGNS[comparison ?? ''] ?? comparison ?? '?';

/** A condition as a person would say it: `cpu_percent > 80`, `no sample of heartbeat for 5 min`. */
export function conditionWords(condition: Condition): string {
  const series = seriesWords(condition);
  switch (condition.kind) {
    case 'threshold': {
      const until = condition.recovery_value === undefined ? '' : `, until ${number(condition.recovery_value)}`;
      return `${series} ${sign(condition.comparison)} ${number(condition.value)}${until}`;
    }
    case 'rate': {
      const unit = condition.unit === 'percent' ? ' %' : ' per second';
      const over = condition.window_seconds === undefined ? '' : ` over ${spokenSeconds(condition.window_seconds)}`;
      return `change of ${series} ${sign(condition.comparison)} ${number(condition.value)}${unit}${over}`;
    }
    case 'anomaly': {
      const side = condition.direction === 'above' ? ' above' : condition.direction === 'below' ? ' below' : ' off';
      return `${series} more than ${number(condition.sigma ?? 3)} standard deviations${side} its normal`;
    }
    case 'absence':
      return `no sample of ${series} for ${condition.absent_seconds === undefined ? '?' : spokenSeconds(condition.absent_seconds)}`;
    case 'composite': {
      const parts = (condition.conditions ?? []).map((part) => (part.kind === 'composite' ? `(${conditionWords(part)})` : conditionWords(part)));
      return condition.op === 'not' ? `not (${parts[0] ?? '?'})` : parts.join(condition.op === 'or' ? ' or ' : ' and ');
    }
    case 'expression':
      return condition.expression ?? '?';
    default:
      return condition.kind;
  }
}

/** `cpu_core_percent {core="0"}`. */
function seriesWords({ metric, matchers }: Condition): string {
  return matchers === undefined || matchers.length === 0 ? (metric ?? '?') : `${metric ?? '?'} {${matchers.join(', ')}}`;
}

/** A rule in words, its time included. */
export function ruleWords(rule: RuleDefinition): string {
  const wait = rule.for_duration_seconds ?? 0;
  return `${conditionWords(rule)}${wait > 0 ? ` for ${spokenSeconds(wait)}` : ''}`;
}

/** `warning from 80, critical from 95`; the one severity where there is one. */
export function severityWords(severity: SeverityChoice | undefined): string {
  if (severity === undefined) return 'warning';
  if (typeof severity === 'string') return severity.toLowerCase();
  return [...SEVERITIES].reverse().flatMap((name) => {
    const value = severity[name];
    return value === undefined ? [] : [`${name} from ${plain(value)}`];
  }).join(', ');
}

/** The metrics that a condition looks at, each once. */
export function metricsOf(condition: Condition): string[] {
  const inner = (condition.conditions ?? []).flatMap(metricsOf);
  return [...new Set([...(condition.metric === undefined ? [] : [condition.metric]), ...inner])];
}

/** What values are compared with, where a condition names one metric and one limit. */
export function limitOf(condition: Condition, metric: string): number | null {
  if (condition.kind === 'threshold') return condition.metric === metric ? (condition.value ?? null) : null;
  for (const part of condition.conditions ?? []) {
    const limit = limitOf(part, metric);
    if (limit !== null) return limit;
  }
  return null;
}

/** A series as it is written: `cpu_core_percent{core=0}`. */
export function seriesName(metric: string | null, labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${value}`).join(', ');
  if (metric === null || metric === '') return pairs === '' ? 'all' : pairs;
  return pairs === '' ? metric : `${metric} {${pairs}}`;
}
