/** Shapes of the endpoints about what holds alerts back and who hears of them: suppression, inhibition, escalation. */

interface Kept {
  readonly id: string;
  readonly version?: number;
  readonly created_at?: string;
  readonly created_by?: string;
  readonly updated_at?: string;
  readonly updated_by?: string;
}

/** `start` and `end`, or `cron` (with `time_zone`) and `duration_seconds`; times are RFC 3339. */
export interface WindowDefinition {
  readonly name: string;
  readonly metric_pattern?: string;
  readonly service?: string;
  readonly matchers?: readonly string[];
  readonly start?: string;
  readonly end?: string;
  readonly cron?: string;
  readonly time_zone?: string;
  readonly duration_seconds?: number;
  readonly comment?: string;
}

export interface SuppressionWindow extends WindowDefinition, Kept {
  readonly active: boolean;
  readonly active_until: string | null;
  readonly next_start: string | null;
  /** It will not begin again. */
  readonly over: boolean;
}

export interface InhibitionDefinition {
  readonly source_matchers: readonly string[];
  readonly target_matchers: readonly string[];
  readonly equal: readonly string[];
}

export interface Inhibition extends InhibitionDefinition, Kept {}

export interface EscalationDefinition {
  readonly name: string;
  readonly levels: readonly { readonly delay_seconds: number; readonly targets: readonly string[] }[];
}

export interface EscalationPolicy extends EscalationDefinition, Kept {}
