/** Shapes of the endpoints about rules: definitions, their live state, previews, explanations. */

import type { AlertState, Labels } from './alerts';
import type { Severity } from './delivery';

export const RULE_KINDS = ['threshold', 'rate', 'anomaly', 'absence', 'composite', 'expression'] as const;
export type RuleKind = (typeof RULE_KINDS)[number];
export const COMPARISONS = ['>', '>=', '<', '<=', '==', '!='] as const;

/** Which fields there are depends on `kind`. */
export interface Condition {
  readonly kind: string;
  readonly metric?: string;
  readonly matchers?: readonly string[];
  readonly comparison?: string;
  readonly value?: number;
  readonly recovery_value?: number;
  readonly unit?: string;
  readonly window_seconds?: number;
  readonly absent_seconds?: number;
  readonly window_points?: number;
  readonly samples_min?: number;
  readonly sigma?: number;
  readonly direction?: string;
  readonly seasonal?: boolean;
  readonly op?: string;
  readonly conditions?: readonly Condition[];
  readonly expression?: string;
}

export type SeverityChoice = string | Readonly<Partial<Record<Severity, number>>>;

export interface RuleDefinition extends Condition {
  readonly id?: string;
  readonly name: string;
  readonly enabled?: boolean;
  readonly for_duration_seconds?: number;
  readonly keep_firing_seconds?: number;
  readonly severity?: SeverityChoice;
  readonly labels?: Labels;
  readonly annotations?: Labels;
  readonly group_by?: readonly string[];
  readonly runbook_url?: string;
  readonly no_data?: 'ok' | 'alert' | 'keep';
  readonly no_data_seconds?: number;
  readonly escalation_policy_id?: string;
  readonly auto_resolve_seconds?: number;
  readonly flap?: { readonly transitions: number; readonly window_seconds: number };
}

export type RulePhase = 'ok' | 'pending' | 'firing';

/** What the rule's actor says of itself. */
export interface RuleLive {
  /** The worst of its series. */
  readonly state: RulePhase;
  readonly series: number;
  readonly pending: number;
  readonly firing: number;
  readonly last_sample_at: string | null;
  /** Samples that its full inbox refused. */
  readonly dropped: number;
  readonly turned_away: number;
  /** Why it was given up. */
  readonly failed: string | null;
}

export interface Rule extends RuleDefinition {
  readonly id: string;
  readonly version: number;
  readonly created_at: string;
  readonly created_by: string;
  readonly updated_at: string;
  readonly updated_by: string;
  readonly live: RuleLive;
}

export interface RuleTemplate {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly definition: RuleDefinition;
}

/** One series of a preview. Times are RFC 3339. */
export interface PreviewSeries {
  readonly metric: string | null;
  readonly labels: Labels;
  readonly fired: number;
  readonly firing_ms: number;
  readonly phases: readonly { readonly at: string; readonly phase: RulePhase; readonly value: number | null; readonly reason?: string }[];
}

export interface RulePreview {
  readonly from: string;
  readonly until: string;
  readonly series: readonly PreviewSeries[];
  /** Only a part of what there is was looked at. */
  readonly truncated: boolean;
}

export interface RuleTest {
  readonly items: readonly { readonly at_s: number; readonly value: number | null; readonly state: RulePhase; readonly text: string }[];
}

export interface Explanation {
  readonly metric: string | null;
  readonly labels: Labels;
  readonly fingerprint: string;
  readonly phase: RulePhase;
  readonly since: string | null;
  readonly held_ms: number | null;
  readonly needed_ms: number | null;
  readonly seen_at: string | null;
  readonly value: number | null;
  readonly text: string;
  readonly alert: { readonly id: string; readonly state: AlertState; readonly reason: string } | null;
  readonly decisions: readonly {
    readonly at: string; readonly from: AlertState | null; readonly to: AlertState; readonly actor: string; readonly reason: string;
    readonly value: number | null;
  }[];
}

export interface RuleExplanation {
  readonly rule_id: string;
  readonly rule_name: string;
  readonly at: string;
  readonly items: readonly Explanation[];
  /** There are more series than are told of. */
  readonly truncated?: boolean;
  /** Why more may have been true at that moment than the hub knows of it. */
  readonly caveats: readonly string[];
}
