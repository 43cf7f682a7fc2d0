import type { FaultParameter, FaultScenario } from '../../api/testing';
import { readNumber } from './runForm';

/** Texts of the fields of a fault: its parameters by name, and how long it is to last. */
export interface FaultForm {
  readonly parameters: Readonly<Record<string, string>>;
  readonly duration_s: string;
}

export interface FaultRequest {
  readonly name: string;
  readonly parameters: Readonly<Record<string, number | string>>;
  readonly duration_s: number;
}

const DURATION_S = 30;

export function initialFault(scenario: FaultScenario): FaultForm {
  return {
    parameters: Object.fromEntries(scenario.parameters.map((parameter) => [parameter.name, String(parameter.default ?? parameter.allowed?.[0] ?? '')])),
    duration_s: String(Math.min(DURATION_S, scenario.duration_s_max)),
  };
}

/** The request of a form, or what is wrong by the name of the field (`duration_s` for the duration). */
export function readFault(scenario: FaultScenario, form: FaultForm): { readonly request: FaultRequest } | { readonly errors: Readonly<Record<string, string>> } {
  const errors: Record<string, string> = {};
  const parameters: Record<string, number | string> = {};
  for (const parameter of scenario.parameters) {
    const read = readParameter(parameter, form.parameters[parameter.name] ?? '');
    if ('error' in read) errors[parameter.name] = read.error;
    else parameters[parameter.name] = read.value;
  }
  const duration_s = readNumber(form.duration_s, { min: 1, max: scenario.duration_s_max, whole: true });
  if (typeof duration_s === 'string') return { errors: { ...errors, duration_s } };
  return Object.keys(errors).length > 0 ? { errors } : { request: { name: scenario.name, parameters, duration_s } };
}

function readParameter({ kind, min, max, allowed, prefix }: FaultParameter, text: string): { readonly value: number | string } | { readonly error: string } {
  if (kind === 'number') {
    const value = readNumber(text, { min: min ?? -Infinity, max: max ?? Infinity, whole: true });
    return typeof value === 'string' ? { error: value } : { value };
  }
  if (allowed && allowed.length > 0) return allowed.includes(text) ? { value: text } : { error: `One of ${allowed.join(', ')}` };
  if (prefix && !text.startsWith(prefix)) return { error: `It has to begin with ${prefix}` };
  return text.trim() === '' ? { error: 'It is needed' } : { value: text.trim() };
}

/** Whether a parameter counts nothing but its unit: `mib` in MiB. */
function isOwnUnit({ name, unit }: Pick<FaultParameter, 'name' | 'unit'>): boolean {
  return unit !== null && name.toLowerCase() === unit.toLowerCase();
}

/** `Delay, ms`: what the field of a parameter is called. */
export function parameterLabel(parameter: FaultParameter): string {
  const { unit } = parameter;
  return unit === null || unit === '' || isOwnUnit(parameter) ? parameterTitle(parameter) : `${parameterTitle(parameter)}, ${unit}`;
}

/** `Delay`: what a parameter is called beside its unit, which its name may end with. */
export function parameterTitle({ name, unit }: FaultParameter): string {
  if (isOwnUnit({ name, unit })) return unit ?? name;
  const bare = unit !== null && unit !== '' && name.endsWith(`_${unit}`) ? name.slice(0, -unit.length - 1) : name;
  return `${bare.charAt(0).toUpperCase()}${bare.slice(1)}`.replaceAll('_', ' ');
}

/** `Delay 500 ms, who readers`: what a fault was or is to be begun with; empty without parameters. */
export function parametersText(parameters: readonly FaultParameter[], values: Readonly<Record<string, number | string>>): string {
  return Object.entries(values).map(([name, value]) => {
    const parameter = parameters.find((candidate) => candidate.name === name);
    const title = parameter === undefined ? name.replaceAll('_', ' ') : parameterTitle(parameter);
    return parameter !== undefined && isOwnUnit(parameter) ? `${value} ${title}` : `${title} ${value}${parameter?.unit ? ` ${parameter.unit}` : ''}`;
  }).join(', ');
}

/** A text of the table as a sentence: the table says them without a full stop. */
export function sentence(text: string): string {
  const begun = `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}
