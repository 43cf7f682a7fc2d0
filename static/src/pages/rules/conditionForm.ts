import { RULE_KINDS, type Condition, type RuleKind } from '../../api/rules';
import { readSeconds, writeSeconds } from '../../format/seconds';

/** A condition while it is edited: what was typed, whether it makes sense yet or not. */
export interface ConditionForm {
  /** Tells the conditions of a composite apart; never sent. */
  readonly key: string;
  readonly kind: RuleKind;
  readonly metric: string;
  /** One on each line, or separated by commas. */
  readonly matchers: string;
  readonly comparison: string;
  readonly value: string;
  readonly recovery_value: string;
  readonly unit: string;
  readonly window_seconds: string;
  readonly absent_seconds: string;
  readonly window_points: string;
  readonly samples_min: string;
  readonly sigma: string;
  readonly direction: string;
  readonly seasonal: boolean;
  readonly op: string;
  readonly expression: string;
  readonly conditions: readonly ConditionForm[];
  /** Fields that the form does not know, kept as they are while the kind stays. */
  readonly rest: Readonly<Record<string, unknown>>;
}

/** What is wrong, by JSON pointer into the definition. */
export type Errors = Readonly<Record<string, string>>;

const KNOWN: ReadonlySet<string> = new Set([
  'kind', 'metric', 'matchers', 'comparison', 'value', 'recovery_value', 'unit', 'window_seconds', 'absent_seconds', 'window_points', 'samples_min',
  'sigma', 'direction', 'seasonal', 'op', 'expression', 'conditions',
]);

let keys = 0;

export function emptyCondition(kind: RuleKind = 'threshold'): ConditionForm {
  keys += 1;
  return {
    key: `condition-${keys}`, kind, metric: '', matchers: '', comparison: '>', value: '', recovery_value: '', unit: 'per_second', window_seconds: '5m',
    absent_seconds: '5m', window_points: '', samples_min: '', sigma: '', direction: 'both', seasonal: false, op: 'and', expression: '', conditions: [], rest: {},
  };
}

/** The form of a stored condition. `outer`: fields that belong to the rule around it. */
export function conditionForm(condition: Condition, outer: ReadonlySet<string> = new Set()): ConditionForm {
  const text = (value: number | undefined): string => (value === undefined ? '' : String(value));
  const kind = RULE_KINDS.find((known) => known === condition.kind) ?? 'threshold';
  const empty = emptyCondition(kind);
  return {
    ...empty,
    metric: condition.metric ?? '',
    matchers: (condition.matchers ?? []).join('\n'),
    comparison: condition.comparison ?? empty.comparison,
    value: text(condition.value), recovery_value: text(condition.recovery_value),
    unit: condition.unit ?? empty.unit,
    window_seconds: condition.window_seconds === undefined ? empty.window_seconds : writeSeconds(condition.window_seconds),
    absent_seconds: condition.absent_seconds === undefined ? empty.absent_seconds : writeSeconds(condition.absent_seconds),
    window_points: text(condition.window_points), samples_min: text(condition.samples_min), sigma: text(condition.sigma),
    direction: condition.direction ?? empty.direction,
    seasonal: condition.seasonal ?? false,
    op: condition.op ?? empty.op,
    expression: condition.expression ?? '',
    conditions: (condition.conditions ?? []).map((part) => conditionForm(part)),
    rest: Object.fromEntries(Object.entries(condition).filter(([name]) => !KNOWN.has(name) && !outer.has(name))),
  };
}

/** The same condition as another kind: what both have stays. */
export function withKind(form: ConditionForm, kind: RuleKind): ConditionForm {
  const conditions = kind === 'composite' && form.conditions.length === 0
    ? [{ ...form, kind: form.kind === 'composite' ? 'threshold' as const : form.kind, conditions: [], key: emptyCondition().key }, emptyCondition()]
    : form.conditions;
  return { ...form, kind, conditions, rest: kind === form.kind ? form.rest : {} };
}

/** The condition that is meant, with what is wrong with it added to `errors`. `at` is its JSON pointer. */
export function readCondition(form: ConditionForm, at: string, errors: Record<string, string>): Condition {
  const reader = new FormReader(at, errors);
  const series = { metric: reader.needed('metric', form.metric), ...optional('matchers', lines(form.matchers)) };
  const common = { kind: form.kind, ...form.rest };
  switch (form.kind) {
    case 'threshold':
      return {
        ...common, ...series, comparison: form.comparison, value: reader.number('value', form.value, true),
        ...optional('recovery_value', reader.number('recovery_value', form.recovery_value)),
      };
    case 'rate':
      return {
        ...common, ...series, comparison: form.comparison, value: reader.number('value', form.value, true), unit: form.unit,
        window_seconds: reader.seconds('window_seconds', form.window_seconds, true),
      };
    case 'anomaly':
      return {
        ...common, ...series, direction: form.direction,
        ...optional('window_points', reader.number('window_points', form.window_points)),
        ...optional('samples_min', reader.number('samples_min', form.samples_min)),
        ...optional('sigma', reader.number('sigma', form.sigma)),
        ...(form.seasonal ? { seasonal: true } : {}),
      };
    case 'absence':
      return { ...common, ...series, absent_seconds: reader.seconds('absent_seconds', form.absent_seconds, true) };
    case 'composite':
      // A metric of a composite is none: what was said of it is taken back.
      // eslint-disable-next-line @typescript-eslint/no-dynamic-delete
      delete errors[`${at}/metric`];
      return { ...common, op: form.op, conditions: form.conditions.map((part, index) => readCondition(part, `${at}/conditions/${index}`, errors)) };
    case 'expression':
      // eslint-disable-next-line @typescript-eslint/no-dynamic-delete
      delete errors[`${at}/metric`];
      return { ...common, expression: reader.needed('expression', form.expression) };
  }
}

/** Reads what was typed, and notes what is wrong where it stands. */
export class FormReader {
  constructor(private readonly at: string, private readonly errors: Record<string, string>) {}

  needed(name: string, text: string): string {
    if (text.trim() === '') this.errors[`${this.at}/${name}`] = 'It is needed';
    return text.trim();
  }

  number(name: string, text: string, is_needed: true): number;
  number(name: string, text: string, is_needed?: boolean): number | undefined;
  number(name: string, text: string, is_needed = false): number | undefined {
    if (text.trim() === '' && !is_needed) return undefined;
    const value = Number(text.replace(',', '.'));
    if (text.trim() !== '' && Number.isFinite(value)) return value;
    this.errors[`${this.at}/${name}`] = 'A number is needed';
    return is_needed ? 0 : undefined;
  }

  seconds(name: string, text: string, is_needed: true): number;
  seconds(name: string, text: string, is_needed?: boolean): number | undefined;
  seconds(name: string, text: string, is_needed = false): number | undefined {
    if (text.trim() === '' && !is_needed) return undefined;
    const value = readSeconds(text);
    if (value !== null) return value;
    this.errors[`${this.at}/${name}`] = 'A time is needed, such as 30s, 5m or 1h';
    return is_needed ? 0 : undefined;
  }
}

/** What stands on lines or between commas; a comma inside quotation marks or braces separates nothing. */
export function lines(text: string): string[] {
  const parts: string[] = [];
  let part = '';
  let depth = 0;
  let quoted = false;
  for (const letter of text) {
    if (letter === '"') quoted = !quoted;
    else if (!quoted && '{[('.includes(letter)) depth += 1;
    else if (!quoted && '}])'.includes(letter)) depth -= 1;
    if (letter === '\n' || (letter === ',' && !quoted && depth <= 0)) {
      parts.push(part);
      part = '';
    } else part += letter;
  }
  return [...parts, part].map((one) => one.trim()).filter((one) => one !== '');
}

/** The field, if there is something to say. */
export function optional<K extends string, T>(name: K, value: T | undefined): Partial<Record<K, T>> {
  const is_empty = value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
  return is_empty ? {} : { [name]: value } as Record<K, T>;
}
