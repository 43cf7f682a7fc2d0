import type { RunLimits } from '../../api/testing';

/** What a load test may be asked for. Bounds are the hub's; until it told them, those of its default settings. */

export interface Scenario {
  readonly name: string;
  readonly what: string;
}

export const SCENARIOS: readonly Scenario[] = [
  { name: 'paced', what: 'One publisher at a steady rate, every connection gets every message' },
  { name: 'fanout', what: 'As fast as the hub takes it, every connection gets every message' },
  { name: 'storm', what: 'All connections open at once' },
  { name: 'reconnect', what: 'Connections break again and again, and recover what they missed' },
  { name: 'slow_reader', what: 'One connection reads slowly; the others must not notice' },
  { name: 'churn', what: 'Connections come and go while messages flow' },
  { name: 'ingest', what: 'Agents send metrics at the rate, acknowledged when durable' },
  { name: 'mixed', what: 'Agents, publishers and readers together' },
  { name: 'soak', what: 'A steady rate for long; memory and latency have to stay flat' },
  { name: 'alert_latency', what: 'Samples that cross the bound of a rule, to the alerts that connections get' },
];

export interface NumberField {
  readonly name: 'connections' | 'duration_s' | 'rate_hz' | 'payload_bytes';
  readonly label: string;
  readonly unit: string;
  readonly initial: number;
  readonly min: number;
  readonly max: number;
  readonly whole: boolean;
}

export const NUMBER_FIELDS: readonly NumberField[] = [
  { name: 'connections', label: 'Connections', unit: '', initial: 25, min: 1, max: 2_000, whole: true },
  { name: 'duration_s', label: 'Duration', unit: 's', initial: 5, min: 1, max: 600, whole: true },
  { name: 'rate_hz', label: 'Rate', unit: 'msg/s', initial: 10, min: 1, max: 1_000, whole: true },
  { name: 'payload_bytes', label: 'Payload', unit: 'bytes', initial: 200, min: 32, max: 16_384, whole: true },
];

export interface RunForm {
  readonly scenario: string;
  readonly name: string;
  readonly connections: string;
  readonly duration_s: string;
  readonly rate_hz: string;
  readonly payload_bytes: string;
}

export const INITIAL_FORM: RunForm = {
  scenario: 'paced', name: '', connections: '25', duration_s: '5', rate_hz: '10', payload_bytes: '200',
};

export interface RunRequest {
  readonly name: string;
  readonly scenario: string;
  readonly connections: number;
  readonly duration_s: number;
  readonly rate_hz: number;
  readonly payload_bytes: number;
  readonly wait: false;
}

export type RunFormErrors = Partial<Record<keyof RunForm, string>>;

export const NAME_CHARS_MAX = 80;
/** What one test may ask of this very machine: deliveries are connections times rate. */
export const DELIVERIES_PER_S_MAX = 200_000;

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly whole: boolean;
}

/** What is wrong with the text of a number, or the number. */
export function readNumber(text: string, { min, max, whole }: Bounds): number | string {
  const value = Number(text.trim());
  if (text.trim() === '' || !Number.isFinite(value)) return 'A number is needed';
  if (whole && !Number.isInteger(value)) return 'A whole number is needed';
  if (value < min || value > max) return `From ${min.toLocaleString('en')} to ${max.toLocaleString('en')}`;
  return value;
}

/** The number fields with the bounds of this hub; a storm may have fewer connections than others. */
export function numberFields(limits: RunLimits | undefined, scenario: string): readonly NumberField[] {
  if (limits === undefined) return NUMBER_FIELDS;
  const connections_max = limits.scenarios.find((known) => known.name === scenario)?.connections_max ?? limits.connections.max;
  return NUMBER_FIELDS.map((field) => ({ ...field, ...limits[field.name], ...(field.name === 'connections' ? { max: connections_max } : {}) }));
}

/** Why the hub would refuse the scenario whatever its numbers; `null` when it would not. */
export function refusalOf(limits: RunLimits | undefined, scenario: string): string | null {
  return limits?.scenarios.find((known) => known.name === scenario)?.refusal ?? null;
}

/** The request of a form, or what is wrong with its fields. */
export function readForm(form: RunForm, limits?: RunLimits): { readonly request: RunRequest } | { readonly errors: RunFormErrors } {
  const errors: RunFormErrors = {};
  const numbers = { connections: 0, duration_s: 0, rate_hz: 0, payload_bytes: 0 };
  for (const field of numberFields(limits, form.scenario)) {
    const value = readNumber(form[field.name], field);
    if (typeof value === 'string') errors[field.name] = value;
    else numbers[field.name] = value;
  }
  const name = form.name.trim();
  const refusal = refusalOf(limits, form.scenario);
  if (refusal !== null) errors.scenario = `On this hub it ${refusal}`;
  if (name.length > NAME_CHARS_MAX) errors.name = `At most ${NAME_CHARS_MAX} characters, not ${name.length}`;
  if (errors.rate_hz === undefined && errors.connections === undefined && numbers.connections * numbers.rate_hz > DELIVERIES_PER_S_MAX) {
    errors.rate_hz = `${(numbers.connections * numbers.rate_hz).toLocaleString('en')} deliveries/s are more than ${DELIVERIES_PER_S_MAX.toLocaleString('en')}`;
  }
  if (Object.keys(errors).length > 0) return { errors };
  return { request: { name: name === '' ? suggestedName(form.scenario, numbers.connections) : name, scenario: form.scenario, ...numbers, wait: false } };
}

/** What a test is called when nobody says. */
export function suggestedName(scenario: string, connections: number | string): string {
  return `${scenario.replaceAll('_', ' ')}, ${connections} connections`;
}

export interface ChaosForm {
  readonly reconnects: string;
  readonly connections: string;
}

export interface ChaosRequest {
  readonly reconnects: number;
  readonly connections: number;
  readonly wait: false;
}

export const CHAOS_FIELDS: readonly (Bounds & { readonly name: keyof ChaosForm; readonly label: string })[] = [
  { name: 'reconnects', label: 'Reconnects', min: 1, max: 5_000, whole: true },
  { name: 'connections', label: 'Connections', min: 1, max: 2_000, whole: true },
];

/** The request of the chaos form, or what is wrong with its fields. */
export function readChaos(form: ChaosForm, limits?: RunLimits): { readonly request: ChaosRequest } | { readonly errors: Partial<Record<keyof ChaosForm, string>> } {
  const errors: Partial<Record<keyof ChaosForm, string>> = {};
  const numbers = { reconnects: 0, connections: 0 };
  for (const field of CHAOS_FIELDS) {
    const value = readNumber(form[field.name], { ...field, ...limits?.[field.name] });
    if (typeof value === 'string') errors[field.name] = value;
    else numbers[field.name] = value;
  }
  return Object.keys(errors).length > 0 ? { errors } : { request: { ...numbers, wait: false } };
}
