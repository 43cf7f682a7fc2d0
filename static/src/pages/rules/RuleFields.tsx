import type { ReactNode } from 'react';
import { SEVERITIES, type Severity } from '../../api/delivery';
import { useEscalations } from '../../api/policyQueries';
import { Field } from '../../ui/Field';
import type { Errors } from './conditionForm';
import type { RuleForm } from './ruleForm';

interface FieldsProps {
  readonly form: RuleForm;
  readonly errors: Errors;
  readonly change: (part: Partial<RuleForm>) => void;
}

/** Fields that are one text. */
type TextField = { [K in keyof RuleForm]: RuleForm[K] extends string ? K : never }[keyof RuleForm];

interface TextProps extends FieldsProps {
  readonly name: TextField;
  readonly label: string;
  readonly placeholder?: string;
  readonly pointer?: string;
  readonly className?: string;
  readonly rows?: number;
}

function Text({ form, errors, change, name, label, placeholder, pointer, className, rows }: TextProps): ReactNode {
  return (
    <Field label={label} error={errors[pointer ?? `/${name}`]}>
      {(ids) => {
        const common = { ...ids, placeholder, className, spellCheck: false, value: form[name] };
        return rows === undefined
          ? <input {...common} autoComplete="off" onChange={(event) => change({ [name]: event.target.value })} />
          : <textarea {...common} rows={rows} onChange={(event) => change({ [name]: event.target.value })} />;
      }}
    </Field>
  );
}

export function TextFields({ part, ...props }: FieldsProps & { readonly part: 'name' | 'texts' }): ReactNode {
  if (part === 'name') return <Text {...props} name="name" label="Name" placeholder="CPU is busy" />;
  return (
    <div className="form-row">
      <Text {...props} name="title" pointer="/annotations/title" label="Title of its alerts (optional)" placeholder="CPU of {{labels.node}} is busy" />
      <Text {...props} name="runbook_url" label="Run book (optional)" placeholder="https://" />
    </div>
  );
}

export function TimeFields(props: FieldsProps): ReactNode {
  return (
    <div className="form-row narrow">
      <Text {...props} name="for_duration_seconds" label="Must hold for" placeholder="at once" className="number" />
      <Text {...props} name="keep_firing_seconds" label="Fires on for" placeholder="0s" className="number" />
      <Text {...props} name="auto_resolve_seconds" label="Resolves after" placeholder="never" className="number" />
    </div>
  );
}

/** One severity, or several by the value. */
export function SeverityFields({ form, errors, change }: FieldsProps): ReactNode {
  return (
    <div className="form-row severities">
      <Field label="Severity" error={errors['/severity']}>
        {(ids) => (
          <select {...ids} value={form.severity} onChange={(event) => change({ severity: event.target.value as RuleForm['severity'] })}>
            {SEVERITIES.map((severity) => <option key={severity}>{severity}</option>)}
            <option value="by_value">by value</option>
          </select>
        )}
      </Field>
      {form.severity === 'by_value' && [...SEVERITIES].reverse().map((severity: Severity) => (
        <Field key={severity} label={`${severity} from`} error={errors[`/severity/${severity}`]}>
          {(ids) => (
            <input {...ids} className="number" inputMode="decimal" autoComplete="off" placeholder="never" value={form.severities[severity]}
              onChange={(event) => change({ severities: { ...form.severities, [severity]: event.target.value } })} />
          )}
        </Field>
      ))}
    </div>
  );
}

/** What most rules leave as it is; open when something in it is set or wrong. */
export function AdvancedFields(props: FieldsProps): ReactNode {
  const { form, errors, change } = props;
  const policies = useEscalations().data?.items ?? [];
  const is_set = [form.message, form.labels, form.annotations, form.group_by, form.no_data_seconds, form.escalation_policy_id, form.flap_transitions].some((text) => text !== '')
    || form.no_data !== 'keep';
  const is_wrong = ADVANCED.some((pointer) => errors[pointer] !== undefined);
  return (
    <details open={is_set || is_wrong || undefined}>
      <summary>Labels, no data, escalation, flapping</summary>
      <div className="form">
        <Text {...props} name="message" pointer="/annotations/message" label="Message" placeholder="It is at {{value}}" rows={2} />
        <div className="form-row">
          <Text {...props} name="labels" label="Labels, name=value on each line" placeholder="team=web" rows={2} />
          <Text {...props} name="annotations" label="Annotations, name=value on each line" rows={2} />
        </div>
        <div className="form-row narrow">
          <Text {...props} name="group_by" label="Grouped by labels" placeholder="node, service" />
          <Field label="When a series ends" error={errors['/no_data']}>
            {(ids) => (
              <select {...ids} value={form.no_data} onChange={(event) => change({ no_data: event.target.value as RuleForm['no_data'] })}>
                <option value="keep">what fires goes on</option><option value="ok">what fires stops</option><option value="alert">that is an alert of its own</option>
              </select>
            )}
          </Field>
          <Text {...props} name="no_data_seconds" label="Ended after" placeholder="5m" className="number" />
        </div>
        <div className="form-row narrow">
          <Field label="Escalation policy" error={errors['/escalation_policy_id']}>
            {(ids) => (
              <select {...ids} value={form.escalation_policy_id} onChange={(event) => change({ escalation_policy_id: event.target.value })}>
                <option value="">none</option>
                {policies.map((policy) => <option key={policy.id} value={policy.id}>{policy.name}</option>)}
                {form.escalation_policy_id !== '' && !policies.some((policy) => policy.id === form.escalation_policy_id) && <option>{form.escalation_policy_id}</option>}
              </select>
            )}
          </Field>
          <Text {...props} name="flap_transitions" pointer="/flap/transitions" label="Flaps: transitions" placeholder="off" className="number" />
          <Text {...props} name="flap_window_seconds" pointer="/flap/window_seconds" label="within" placeholder="5m" className="number" />
        </div>
        <label className="pick"><input type="checkbox" checked={form.enabled} onChange={(event) => change({ enabled: event.target.checked })} />It is evaluated</label>
      </div>
    </details>
  );
}

const ADVANCED = [
  '/annotations/message', '/labels', '/annotations', '/group_by', '/no_data', '/no_data_seconds', '/escalation_policy_id', '/flap/transitions', '/flap/window_seconds',
];
