import { ALERT_STATES, OPEN_STATES, type AlertSearch, type AlertSort, type AlertState, type OpenedAlert } from '../../api/alerts';
import { SEVERITIES, type Severity } from '../../api/delivery';
import { unixMs } from '../../format/times';

/** What the list shows, as the address says: `?state=firing&severity=critical,error&q=disk&label=node=web-1&since=24h&sort=worst`. */
export interface AlertFilter {
  readonly text: string;
  /** Empty: every one that is open. */
  readonly states: readonly AlertState[];
  /** Empty: every one. */
  readonly severities: readonly Severity[];
  readonly service: string | null;
  readonly rule_id: string | null;
  /** `name=value`, each of which must be there. */
  readonly labels: readonly string[];
  readonly since: Since | null;
  readonly sort: AlertSort;
}

export const SINCES = [
  { id: '1h', label: 'last hour', ms: 3_600_000 }, { id: '24h', label: 'last 24 h', ms: 86_400_000 },
  { id: '7d', label: 'last 7 days', ms: 7 * 86_400_000 }, { id: '30d', label: 'last 30 days', ms: 30 * 86_400_000 },
] as const;
export type Since = (typeof SINCES)[number];

export const SORTS: readonly (readonly [AlertSort, string])[] = [['urgent', 'Urgent'], ['newest', 'Newest'], ['worst', 'Worst']];
export const ALL_STATES = 'all';

/** Reads the filter out of the parameters of the address. */
export function filterOf(parameters: URLSearchParams): AlertFilter {
  const state = parameters.get('state');
  const listed = (name: string): string[] => (parameters.get(name) ?? '').split(',').filter((one) => one !== '');
  const states = state === ALL_STATES ? ALERT_STATES : ALERT_STATES.filter((known) => listed('state').includes(known));
  const sort = parameters.get('sort');
  return {
    text: parameters.get('q') ?? '',
    states,
    severities: SEVERITIES.filter((known) => listed('severity').includes(known)),
    service: parameters.get('service'),
    rule_id: parameters.get('rule'),
    labels: listed('label').filter((label) => label.includes('=')),
    since: SINCES.find((known) => known.id === parameters.get('since')) ?? null,
    sort: SORTS.find(([id]) => id === sort)?.[0] ?? (sort === 'oldest' ? 'oldest' : 'urgent'),
  };
}

/** The states that are let through. */
export function statesOf(filter: AlertFilter): readonly AlertState[] {
  return filter.states.length === 0 ? OPEN_STATES : filter.states;
}

/** Whether it lets through less than every open alert. */
export function isNarrowed(filter: AlertFilter): boolean {
  return filter.text.trim() !== '' || filter.states.length > 0 || filter.severities.length > 0 || filter.service !== null
    || filter.rule_id !== null || filter.labels.length > 0 || filter.since !== null;
}

/** What the hub is asked for. `now_ms` is the hub's clock; it is rounded down, so that the same filter asks the same within a minute. */
export function searchOf(filter: AlertFilter, now_ms: number): AlertSearch {
  const text = filter.text.trim();
  const minute_ms = Math.floor(now_ms / 60_000) * 60_000;
  return {
    states: statesOf(filter),
    sort: filter.sort,
    ...(text === '' ? {} : { text }),
    ...(filter.severities.length === 0 ? {} : { severities: filter.severities }),
    ...(filter.service === null ? {} : { services: [filter.service] }),
    ...(filter.rule_id === null ? {} : { rule_ids: [filter.rule_id] }),
    ...(filter.labels.length === 0 ? {} : { labels: Object.fromEntries(filter.labels.map(pairOf)) }),
    ...(filter.since === null ? {} : { since: new Date(minute_ms - filter.since.ms).toISOString() }),
  };
}

/** `node=web-1` as its name and value. */
export function pairOf(label: string): [string, string] {
  const at = label.indexOf('=');
  return [label.slice(0, at).trim(), label.slice(at + 1).trim()];
}

/** Whether the filter lets an alert through: as the hub would, so that what arrives live is where it belongs. */
export function passes(filter: AlertFilter, alert: OpenedAlert, now_ms: number): boolean {
  if (!statesOf(filter).includes(alert.state)) return false;
  // One that never came to more than pending is of no interest.
  if (alert.state === 'resolved' && alert.fired_at === null) return false;
  if (filter.severities.length > 0 && !filter.severities.includes(alert.severity)) return false;
  if (filter.service !== null && alert.service !== filter.service) return false;
  if (filter.rule_id !== null && alert.rule_id !== filter.rule_id) return false;
  if (filter.labels.some((label) => alert.labels[pairOf(label)[0]] !== pairOf(label)[1])) return false;
  if (filter.since !== null && (unixMs(alert.started_at) ?? 0) < now_ms - filter.since.ms) return false;
  const text = filter.text.trim().toLowerCase();
  return text === '' || [alert.title, alert.message, alert.service, alert.rule_id, alert.rule_name].some((part) => part?.toLowerCase().includes(text));
}

const rank = (severity: Severity): number => SEVERITIES.length - SEVERITIES.indexOf(severity);
const started = (alert: OpenedAlert): number => unixMs(alert.started_at) ?? 0;

const ORDERS: Readonly<Record<AlertSort, (left: OpenedAlert, right: OpenedAlert) => number>> = {
  urgent: (left, right) => right.score - left.score || started(right) - started(left),
  newest: (left, right) => started(right) - started(left),
  oldest: (left, right) => started(left) - started(right),
  worst: (left, right) => rank(right.severity) - rank(left.severity) || started(right) - started(left),
};

/** In the order of the hub; what is equal stands by its id, so that rows keep their places. */
export function inOrder(alerts: readonly OpenedAlert[], sort: AlertSort): OpenedAlert[] {
  return [...alerts].sort((left, right) => ORDERS[sort](left, right) || left.id.localeCompare(right.id));
}
