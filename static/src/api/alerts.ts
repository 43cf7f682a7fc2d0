/** Shapes of the endpoints about alerts: the list, one of them with its history, statistics. */

import type { Severity } from './delivery';

export type AlertState = 'pending' | 'firing' | 'acknowledged' | 'suppressed' | 'resolved';

/** In the order in which they want somebody. */
export const ALERT_STATES: readonly AlertState[] = ['firing', 'acknowledged', 'suppressed', 'pending', 'resolved'];
export const OPEN_STATES: readonly AlertState[] = ['firing', 'acknowledged', 'suppressed', 'pending'];

export type Labels = Readonly<Record<string, string>>;

/** Times are RFC 3339. */
export interface OpenedAlert {
  readonly id: string;
  readonly fingerprint: string;
  /** `null`: it was posted, no rule is behind it. */
  readonly rule_id: string | null;
  readonly rule_name: string | null;
  readonly state: AlertState;
  readonly severity: Severity;
  /** How urgent, 0 to 100. */
  readonly score: number;
  readonly service: string | null;
  readonly title: string;
  readonly message: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly value: number | null;
  readonly reason: string;
  readonly started_at: string;
  readonly fired_at: string | null;
  /** It resolves by itself then, unless it is posted again. */
  readonly ends_at?: string | null;
  readonly acknowledged_by: string | null;
  readonly acknowledged_at: string | null;
  readonly notified_at: string | null;
  readonly escalation_level: number;
  readonly suppressed_until: string | null;
  readonly resolved_at: string | null;
  readonly resolved_by: string | null;
  readonly count: number;
  readonly last_breach_at: string;
  /** Grows with each change. */
  readonly version: number;
}

export interface AlertTransition {
  readonly at: string;
  /** `null`: it was opened. */
  readonly from: AlertState | null;
  readonly to: AlertState;
  readonly actor: string;
  readonly reason: string;
  readonly value: number | null;
  readonly comment: string | null;
}

/** The actor of what nobody did by hand. */
export const HUB_ACTOR = 'infrawatch';

export type AlertSort = 'urgent' | 'newest' | 'oldest' | 'worst';

/** What is searched for; what is left out lets everything through. */
export interface AlertSearch {
  readonly text?: string;
  readonly states?: readonly AlertState[];
  readonly severities?: readonly Severity[];
  readonly services?: readonly string[];
  readonly rule_ids?: readonly string[];
  readonly labels?: Labels;
  readonly since?: string;
  readonly until?: string;
  readonly sort?: AlertSort;
  readonly limit?: number;
  readonly cursor?: string;
}

export interface AlertHour {
  readonly hour: string;
  readonly fired: number;
  readonly resolved: number;
  readonly mtta_minutes: number | null;
  readonly mttr_minutes: number | null;
}

export interface AlertStatistics {
  readonly total: number;
  readonly by_state: Readonly<Partial<Record<AlertState, number>>>;
  /** Of those that are not resolved. */
  readonly by_severity: Readonly<Partial<Record<Severity, number>>>;
  readonly mtta_minutes: number | null;
  readonly mttr_minutes: number | null;
  readonly trend: readonly AlertHour[];
  readonly noisiest: readonly { readonly rule_id: string; readonly rule_name: string | null; readonly fired: number }[];
}

export type AlertAction = 'acknowledge' | 'resolve';

/** What became of each of several. */
export interface BulkOutcome {
  readonly done: readonly string[];
  readonly failed: readonly { readonly id: string; readonly code: string; readonly detail: string; readonly state?: string }[];
}
