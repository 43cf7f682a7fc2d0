import type { Labels } from '../../api/alerts';
import { SEVERITIES, type Severity } from '../../api/delivery';
import type { FieldError } from '../../api/problem';
import type { RuleDefinition, SeverityChoice } from '../../api/rules';
import { writeSeconds } from '../../format/seconds';
import { conditionForm, emptyCondition, FormReader, lines, optional, readCondition, type ConditionForm, type Errors } from './conditionForm';

/** A rule while it is edited: what was typed. */
export interface RuleForm {
  readonly name: string;
  readonly enabled: boolean;
  readonly condition: ConditionForm;
  readonly for_duration_seconds: string;
  readonly keep_firing_seconds: string;
  readonly auto_resolve_seconds: string;
  readonly no_data: 'ok' | 'alert' | 'keep';
  readonly no_data_seconds: string;
  /** One of the severities, or `by_value`. */
  readonly severity: Severity | 'by_value';
  readonly severities: Readonly<Record<Severity, string>>;
  /** `name=value` on each line. */
  readonly labels: string;
  readonly title: string;
  readonly message: string;
  /** Those beside title and message, `name=value` on each line. */
  readonly annotations: string;
  readonly group_by: string;
  readonly runbook_url: string;
  readonly escalation_policy_id: string;
  readonly flap_transitions: string;
  readonly flap_window_seconds: string;
}

/** What a definition has beside its condition. */
const OF_THE_RULE: ReadonlySet<string> = new Set([
  'id', 'name', 'enabled', 'for_duration_seconds', 'keep_firing_seconds', 'severity', 'labels', 'annotations', 'group_by', 'runbook_url', 'no_data',
  'no_data_seconds', 'escalation_policy_id', 'auto_resolve_seconds', 'flap',
  // What the hub adds when it lists rules.
  'version', 'created_at', 'created_by', 'updated_at', 'updated_by', 'live', 'source',
]);

const NO_SEVERITIES: Readonly<Record<Severity, string>> = { critical: '', error: '', warning: '', info: '' };

export function emptyRule(): RuleForm {
  return {
    name: '', enabled: true, condition: emptyCondition(), for_duration_seconds: '1m', keep_firing_seconds: '', auto_resolve_seconds: '', no_data: 'keep',
    no_data_seconds: '', severity: 'warning', severities: NO_SEVERITIES, labels: '', title: '', message: '', annotations: '', group_by: '', runbook_url: '',
    escalation_policy_id: '', flap_transitions: '', flap_window_seconds: '',
  };
}

/** The form of a stored rule or of a template. */
export function ruleForm(rule: RuleDefinition): RuleForm {
  const { title = '', message = '', ...annotations } = rule.annotations ?? {};
  const severity = severityOf(rule.severity);
  const seconds = (value: number | undefined): string => (value === undefined || value === 0 ? '' : writeSeconds(value));
  return {
    name: rule.name,
    enabled: rule.enabled ?? true,
    condition: conditionForm(rule, OF_THE_RULE),
    for_duration_seconds: writeSeconds(rule.for_duration_seconds ?? 0),
    keep_firing_seconds: seconds(rule.keep_firing_seconds),
    auto_resolve_seconds: seconds(rule.auto_resolve_seconds),
    no_data: rule.no_data ?? 'keep',
    no_data_seconds: seconds(rule.no_data_seconds),
    severity: typeof severity === 'string' ? severity : 'by_value',
    severities: typeof severity === 'string' ? NO_SEVERITIES : severity,
    labels: pairLines(rule.labels), title, message, annotations: pairLines(annotations),
    group_by: (rule.group_by ?? []).join(', '),
    runbook_url: rule.runbook_url ?? '',
    escalation_policy_id: rule.escalation_policy_id ?? '',
    flap_transitions: rule.flap === undefined ? '' : String(rule.flap.transitions),
    flap_window_seconds: rule.flap === undefined ? '' : writeSeconds(rule.flap.window_seconds),
  };
}

const ALIASES: Readonly<Record<string, Severity>> = { low: 'info', medium: 'warning', high: 'error' };

function severityOf(choice: SeverityChoice | undefined): Severity | Readonly<Record<Severity, string>> {
  if (choice === undefined) return 'warning';
  if (typeof choice !== 'string') return { ...NO_SEVERITIES, ...Object.fromEntries(Object.entries(choice).map(([name, value]) => [name.toLowerCase(), String(value)])) };
  const name = choice.toLowerCase();
  return SEVERITIES.find((known) => known === name) ?? ALIASES[name] ?? 'warning';
}

/** The rule that is meant, or what is wrong with what was typed. The hub checks the rest. */
export function readRule(form: RuleForm): { readonly definition: RuleDefinition } | { readonly errors: Errors } {
  const errors: Record<string, string> = {};
  const reader = new FormReader('', errors);
  const annotations = readPairs(form.annotations, '/annotations', errors);
  const definition: RuleDefinition = {
    name: reader.needed('name', form.name),
    enabled: form.enabled,
    ...readCondition(form.condition, '', errors),
    for_duration_seconds: reader.seconds('for_duration_seconds', form.for_duration_seconds) ?? 0,
    keep_firing_seconds: reader.seconds('keep_firing_seconds', form.keep_firing_seconds) ?? 0,
    severity: form.severity === 'by_value' ? readSeverities(form.severities, errors) : form.severity,
    labels: readPairs(form.labels, '/labels', errors),
    annotations: { ...annotations, ...optional('title', form.title.trim()), ...optional('message', form.message.trim()) },
    group_by: lines(form.group_by),
    no_data: form.no_data,
    ...optional('runbook_url', form.runbook_url.trim()),
    ...optional('no_data_seconds', reader.seconds('no_data_seconds', form.no_data_seconds)),
    ...optional('escalation_policy_id', form.escalation_policy_id),
    ...optional('auto_resolve_seconds', reader.seconds('auto_resolve_seconds', form.auto_resolve_seconds)),
    ...optional('flap', readFlap(form, errors)),
  };
  return Object.keys(errors).length === 0 ? { definition } : { errors };
}

function readSeverities(severities: Readonly<Record<Severity, string>>, errors: Record<string, string>): SeverityChoice {
  const choice: Partial<Record<Severity, number>> = {};
  const reader = new FormReader('/severity', errors);
  for (const name of SEVERITIES) {
    const value = reader.number(name, severities[name]);
    if (value !== undefined) choice[name] = value;
  }
  if (Object.keys(choice).length === 0) errors['/severity'] = 'At least one severity needs a value';
  return choice;
}

function readFlap(form: RuleForm, errors: Record<string, string>): RuleDefinition['flap'] {
  if (form.flap_transitions.trim() === '' && form.flap_window_seconds.trim() === '') return undefined;
  const reader = new FormReader('/flap', errors);
  return {
    transitions: reader.number('transitions', form.flap_transitions, true), window_seconds: reader.seconds('window_seconds', form.flap_window_seconds, true),
  };
}

/** `name=value` on each line. */
export function readPairs(text: string, at: string, errors: Record<string, string>): Labels {
  const pairs: Record<string, string> = {};
  for (const line of text.split('\n').map((one) => one.trim()).filter((one) => one !== '')) {
    const cut = line.indexOf('=');
    if (cut <= 0) errors[at] = `Each line is name=value, not ${line}`;
    else pairs[line.slice(0, cut).trim()] = line.slice(cut + 1).trim();
  }
  return pairs;
}

export function pairLines(pairs: Labels | undefined): string {
  return Object.entries(pairs ?? {}).map(([name, value]) => `${name}=${value}`).join('\n');
}

/** What the hub found, by pointer; pointers that the form has no field for stand under the nearest field that it has. */
export function errorsOf(found: readonly FieldError[], prefix = ''): Errors {
  const errors: Record<string, string> = {};
  for (const { pointer, detail } of found) {
    const at = pointer.startsWith(prefix) ? pointer.slice(prefix.length) : pointer;
    errors[fieldOf(at)] ??= detail;
  }
  return errors;
}

/** A list or a table of texts is one field of the form. */
function fieldOf(pointer: string): string {
  const annotation = /^\/annotations\/(title|message)$/.exec(pointer);
  if (annotation !== null) return pointer;
  return pointer.replace(/(\/(?:matchers|labels|annotations|group_by))\/.*$/, '$1');
}
