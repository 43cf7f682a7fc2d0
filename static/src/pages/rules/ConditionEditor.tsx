import { useId, type ReactNode } from 'react';
import { COMPARISONS, RULE_KINDS, type RuleKind } from '../../api/rules';
import { Field } from '../../ui/Field';
import { Icon } from '../../ui/icons';
import { Segments } from '../../ui/Segments';
import { emptyCondition, withKind, type ConditionForm, type Errors } from './conditionForm';
import { useMetricNames } from './metricNames';

interface ConditionEditorProps {
  readonly form: ConditionForm;
  /** Where the condition stands in the rule, as a JSON pointer. */
  readonly at: string;
  readonly errors: Errors;
  readonly change: (form: ConditionForm) => void;
  readonly onRemove?: (() => void) | undefined;
}

const KINDS = RULE_KINDS.map((kind) => [kind, kind.charAt(0).toUpperCase() + kind.slice(1)] as const);
const WHAT: Readonly<Record<RuleKind, string>> = {
  threshold: 'A value is compared with a limit.',
  rate: 'How fast a value changes is compared with a limit.',
  anomaly: 'A value is far from what it was lately.',
  absence: 'A series falls silent.',
  composite: 'Several conditions, joined where their series have the same labels.',
  expression: 'Windows of series, computed and compared.',
};
const OPS = [['and', 'All hold'], ['or', 'Any holds'], ['not', 'It does not hold']] as const;

/** What must hold, by kind; the parts of a composite inside. */
export function ConditionEditor({ form, at, errors, change, onRemove }: ConditionEditorProps): ReactNode {
  const set = (part: Partial<ConditionForm>): void => change({ ...form, ...part });
  return (
    <fieldset className={at === '' ? 'condition' : 'condition inner'} data-condition={at}>
      <legend className="visually-hidden">{at === '' ? 'Condition' : `Condition ${Number(at.split('/').at(-1)) + 1}`}</legend>
      <div className="condition-head">
        <Segments<RuleKind> label="Kind" value={form.kind} choices={KINDS} onChoose={(kind) => change(withKind(form, kind))} />
        {onRemove !== undefined && <button type="button" className="small quiet" aria-label="Remove this condition" onClick={onRemove}><Icon name="cross" size={12} /></button>}
      </div>
      {at === '' && <p className="muted fine">{WHAT[form.kind]}</p>}
      {errors[`${at}/kind`] !== undefined && <p className="field-error" role="alert">{errors[`${at}/kind`]}</p>}
      {form.kind === 'composite' && <Parts form={form} at={at} errors={errors} set={set} />}
      {form.kind === 'expression' && (
        <Field label="Expression" error={errors[`${at}/expression`]}>
          {(ids) => (
            <textarea {...ids} rows={3} spellCheck={false} placeholder='avg(cpu_percent{node=~"web-.*"}, 5m) > 80' value={form.expression}
              onChange={(event) => set({ expression: event.target.value })} />
          )}
        </Field>
      )}
      {form.kind !== 'composite' && form.kind !== 'expression' && <Leaf form={form} at={at} errors={errors} set={set} />}
    </fieldset>
  );
}

type NumberField = 'value' | 'recovery_value' | 'window_seconds' | 'absent_seconds' | 'sigma' | 'window_points' | 'samples_min';

interface PartProps {
  readonly form: ConditionForm;
  readonly at: string;
  readonly errors: Errors;
  readonly set: (part: Partial<ConditionForm>) => void;
}

function Parts({ form, at, errors, set }: PartProps): ReactNode {
  const { conditions, op } = form;
  const shown = op === 'not' ? conditions.slice(0, 1) : conditions;
  return (
    <>
      <Segments label="Joined by" value={op as (typeof OPS)[number][0]} choices={OPS}
        onChoose={(next) => set({ op: next, ...(next === 'not' ? { conditions: conditions.slice(0, 1) } : {}) })} />
      {errors[`${at}/conditions`] !== undefined && <p className="field-error" role="alert">{errors[`${at}/conditions`]}</p>}
      {shown.map((condition, index) => (
        <ConditionEditor key={condition.key} form={condition} at={`${at}/conditions/${index}`} errors={errors}
          change={(next) => set({ conditions: conditions.map((other, place) => (place === index ? next : other)) })}
          onRemove={shown.length > 1 ? () => set({ conditions: conditions.filter((_, place) => place !== index) }) : undefined} />
      ))}
      {op !== 'not' && <button type="button" className="small" onClick={() => set({ conditions: [...conditions, emptyCondition()] })}><Icon name="plus" size={12} />Add a condition</button>}
    </>
  );
}

function Leaf({ form, at, errors, set }: PartProps): ReactNode {
  const names = useMetricNames();
  const list_id = useId();
  const number = (name: NumberField, label: string, placeholder = ''): ReactNode => (
    <Field label={label} error={errors[`${at}/${name}`]}>
      {(ids) => <input {...ids} className="number" inputMode="decimal" autoComplete="off" placeholder={placeholder} value={form[name]} onChange={(event) => set({ [name]: event.target.value })} />}
    </Field>
  );
  const compared = (label: string): ReactNode => (
    <>
      <Field label="Is" error={errors[`${at}/comparison`]}>
        {(ids) => (
          <select {...ids} value={form.comparison} onChange={(event) => set({ comparison: event.target.value })}>
            {COMPARISONS.map((sign) => <option key={sign}>{sign}</option>)}
          </select>
        )}
      </Field>
      {number('value', label)}
    </>
  );
  return (
    <>
      <div className="form-row">
        <Field label="Metric" error={errors[`${at}/metric`]}>
          {(ids) => <input {...ids} list={list_id} autoComplete="off" spellCheck={false} placeholder="cpu_percent" value={form.metric} onChange={(event) => set({ metric: event.target.value })} />}
        </Field>
        <datalist id={list_id}>{names.map((name) => <option key={name} value={name} />)}</datalist>
        <Field label="Of series with (or all)" error={errors[`${at}/matchers`]}>
          {(ids) => <input {...ids} autoComplete="off" spellCheck={false} placeholder='node=~"web-.*", zone!=test' value={form.matchers} onChange={(event) => set({ matchers: event.target.value })} />}
        </Field>
      </div>
      <div className="form-row narrow">
        {form.kind === 'threshold' && <>{compared('Limit')}{number('recovery_value', 'Until (recovery)', 'the limit')}</>}
        {form.kind === 'rate' && (
          <>
            {compared('Limit')}
            <Field label="Measured" error={errors[`${at}/unit`]}>
              {(ids) => (
                <select {...ids} value={form.unit} onChange={(event) => set({ unit: event.target.value })}>
                  <option value="per_second">per second</option><option value="percent">in percent</option>
                </select>
              )}
            </Field>
            {number('window_seconds', 'Over')}
          </>
        )}
        {form.kind === 'anomaly' && (
          <>
            {number('sigma', 'Standard deviations', '3')}
            <Field label="Side" error={errors[`${at}/direction`]}>
              {(ids) => (
                <select {...ids} value={form.direction} onChange={(event) => set({ direction: event.target.value })}>
                  <option value="both">both</option><option value="above">above</option><option value="below">below</option>
                </select>
              )}
            </Field>
            {number('window_points', 'Samples of normal', '100')}
            {number('samples_min', 'Judged from', '30')}
          </>
        )}
        {form.kind === 'absence' && number('absent_seconds', 'Silent for')}
      </div>
      {form.kind === 'anomaly' && (
        <label className="pick"><input type="checkbox" checked={form.seasonal} onChange={(event) => set({ seasonal: event.target.checked })} />compared with the same hour of the days before</label>
      )}
    </>
  );
}
