import { useId, useState, type ReactNode } from 'react';
import { messageOf } from '../../api/problem';
import { START_PATH, useRunLimits } from '../../api/testingQueries';
import { useRefusal } from '../../state/role';
import { Field } from '../../ui/Field';
import { Icon } from '../../ui/icons';
import { Panel } from '../../ui/Panel';
import { INITIAL_FORM, numberFields, readForm, SCENARIOS, suggestedName, type RunForm, type RunFormErrors, type RunRequest } from './runForm';
import { useStart } from './useStart';

interface StartRunProps {
  readonly is_busy: boolean;
  readonly onStarted: (id: string) => void;
}

const BUSY = 'A test runs at present; one at a time.';

/** The form that starts a load test. */
export function StartRun({ is_busy, onStarted }: StartRunProps): ReactNode {
  const [form, setForm] = useState<RunForm>(INITIAL_FORM);
  const [touched, setTouched] = useState<ReadonlySet<string>>(new Set());
  const start = useStart<RunRequest>(START_PATH, onStarted);
  const refusal = useRefusal('start a test') ?? (is_busy ? BUSY : null);
  const reason_id = useId();
  const limits = useRunLimits().data;
  const read = readForm(form, limits);
  const errors: RunFormErrors = 'errors' in read ? read.errors : {};
  const change = (part: Partial<RunForm>): void => {
    setForm({ ...form, ...part });
    setTouched(new Set([...touched, ...Object.keys(part)]));
  };
  const shown = (name: keyof RunForm): string | undefined => (touched.has(name) ? errors[name] : undefined);
  const scenario = SCENARIOS.find((known) => known.name === form.scenario);
  return (
    <Panel title="Load test">
      <form className="form" aria-label="Start a load test" noValidate onSubmit={(event) => {
        event.preventDefault();
        setTouched(new Set(Object.keys(form)));
        if ('request' in read && refusal === null) start.mutate(read.request);
      }}>
        <Field label="Scenario" error={shown('scenario')}>
          {(ids) => (
            <select {...ids} value={form.scenario} onChange={(event) => change({ scenario: event.target.value })}>
              {SCENARIOS.map(({ name }) => <option key={name} value={name}>{name.replaceAll('_', ' ')}</option>)}
            </select>
          )}
        </Field>
        {scenario !== undefined && <p className="muted lab-what">{scenario.what}.</p>}
        <div className="lab-numbers">
          {numberFields(limits, form.scenario).map((field) => (
            <Field key={field.name} label={field.unit === '' ? field.label : `${field.label}, ${field.unit}`} error={shown(field.name)}>
              {(ids) => (
                <input {...ids} className="number" inputMode="decimal" autoComplete="off" value={form[field.name]}
                  onChange={(event) => change({ [field.name]: event.target.value })} />
              )}
            </Field>
          ))}
        </div>
        <Field label="Name (optional)" error={shown('name')}>
          {(ids) => (
            <input {...ids} value={form.name} placeholder={suggestedName(form.scenario, form.connections.trim())} autoComplete="off"
              onChange={(event) => change({ name: event.target.value })} />
          )}
        </Field>
        <div className="form-actions">
          <button type="submit" className="primary" disabled={refusal !== null || start.isPending} aria-describedby={refusal === null ? undefined : reason_id}>
            <Icon name="play" size={13} />Start the test
          </button>
        </div>
        {refusal !== null && <p id={reason_id} className="muted" data-refusal="start">{refusal}</p>}
        {start.error !== null && <p className="tone-bad" role="alert">{messageOf(start.error)}</p>}
      </form>
    </Panel>
  );
}
