import { ALERT_STATES, type AlertState, type AlertTransition, type Labels, type OpenedAlert } from '../api/alerts';
import { SEVERITIES } from '../api/delivery';
import { isObject, number, text, type Json, type JsonObject, type Message } from '../wire/envelope';

/** An alert as the socket last told of it. `heard_at_ms` is the browser's clock. */
export interface LiveAlert {
  readonly alert: OpenedAlert;
  readonly heard_at_ms: number;
}

/** Alerts that were heard of and are kept; beyond, the one that was heard of longest ago is forgotten. */
export const LIVE_BOUND = 2_000;

/** What the topics `alerts_*` tell. Views see changes at most once per animation frame, and none while they are paused. */
export class AlertStore {
  private readonly newest = new Map<string, LiveAlert>();
  private shown: ReadonlyMap<string, LiveAlert> = new Map();
  private paused = false;
  private publishing = false;
  private readonly watchers = new Set<() => void>();

  constructor(
    /** Called when something changed, so that what the hub counts has to be read again. */
    private readonly onChange: () => void,
    private readonly schedule: (publish: () => void) => void = (publish) => requestAnimationFrame(publish),
    private readonly now: () => number = () => Date.now(),
  ) {}

  watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  /** By id; another map after each change. */
  live = (): ReadonlyMap<string, LiveAlert> => this.shown;

  setPaused(paused: boolean): void {
    this.paused = paused;
    if (!paused) this.publishSoon();
  }

  /** A message of `alerts_{severity}`. */
  onMessage = ({ payload }: Message): void => {
    if (!isObject(payload) || !isObject(payload.alert)) return;
    const alert = alertOf(payload.alert);
    if (alert !== null) this.put(alert);
  };

  /** Takes an alert in unless a newer version of it is known. */
  put(alert: OpenedAlert): void {
    const known = this.newest.get(alert.id);
    if (known !== undefined && known.alert.version >= alert.version) return;
    // Put in again, so that the map is in the order in which they were heard of.
    this.newest.delete(alert.id);
    this.newest.set(alert.id, { alert, heard_at_ms: this.now() });
    if (this.newest.size > LIVE_BOUND) {
      for (const oldest of this.newest.keys()) {
        this.newest.delete(oldest);
        break;
      }
    }
    this.onChange();
    this.publishSoon();
  }

  private publishSoon(): void {
    if (this.paused || this.publishing) return;
    this.publishing = true;
    this.schedule(() => {
      this.publishing = false;
      if (this.paused) return;
      this.shown = new Map(this.newest);
      for (const watcher of this.watchers) watcher();
    });
  }
}

/** The alert of a message; `null` when it is none that a life cycle stands behind. */
export function alertOf(value: JsonObject): OpenedAlert | null {
  const id = text(value.id);
  const version = number(value.version);
  const state = ALERT_STATES.find((known) => known === value.state);
  const severity = SEVERITIES.find((known) => known === value.severity);
  const started_at = text(value.started_at);
  if (id === null || version === null || state === undefined || severity === undefined || started_at === null) return null;
  return {
    id, version, state, severity, started_at,
    fingerprint: text(value.fingerprint) ?? '',
    rule_id: text(value.rule_id), rule_name: text(value.rule_name),
    score: number(value.score) ?? 0,
    service: text(value.service), title: text(value.title) ?? '', message: text(value.message) ?? '',
    labels: labelsOf(value.labels), annotations: labelsOf(value.annotations),
    value: number(value.value), reason: text(value.reason) ?? '',
    fired_at: text(value.fired_at), ends_at: text(value.ends_at),
    acknowledged_by: text(value.acknowledged_by), acknowledged_at: text(value.acknowledged_at),
    notified_at: text(value.notified_at), escalation_level: number(value.escalation_level) ?? 0,
    suppressed_until: text(value.suppressed_until),
    resolved_at: text(value.resolved_at), resolved_by: text(value.resolved_by),
    count: number(value.count) ?? 1,
    last_breach_at: text(value.last_breach_at) ?? started_at,
  };
}

/** The step that a message tells of. */
export function transitionOf(value: Json | undefined): AlertTransition | null {
  if (!isObject(value)) return null;
  const at = text(value.at);
  const to = stateOf(value.to);
  if (at === null || to === null) return null;
  return {
    at, to, from: stateOf(value.from), actor: text(value.actor) ?? '', reason: text(value.reason) ?? '', value: number(value.value),
    comment: text(value.comment),
  };
}

function stateOf(value: Json | undefined): AlertState | null {
  return ALERT_STATES.find((known) => known === value) ?? null;
}

function labelsOf(value: Json | undefined): Labels {
  const labels: Record<string, string> = {};
  if (isObject(value)) for (const [name, raw] of Object.entries(value)) if (typeof raw === 'string') labels[name] = raw;
  return labels;
}
