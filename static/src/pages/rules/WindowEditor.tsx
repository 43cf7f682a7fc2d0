import { useId, useMemo, type ReactNode } from 'react';
import type { SuppressionWindow, WindowDefinition } from '../../api/policies';
import { onePath, SUPPRESSION_PATH } from '../../api/policyQueries';
import { readSeconds, spokenSeconds } from '../../format/seconds';
import { useConnection } from '../../state/context';
import { useNow } from '../../state/ticker';
import { Field } from '../../ui/Field';
import { Segments } from '../../ui/Segments';
import type { Errors } from './conditionForm';
import { momentText, occurrencesOf, timeZones } from './occurrences';
import { PolicyDialog } from './PolicyDialog';
import { CRONS, readWindow, type WindowForm } from './windowForm';

interface WindowEditorProps {
  readonly initial: WindowForm;
  readonly window: SuppressionWindow | null;
  readonly close: () => void;
}

const OCCURRENCES = 5;

export function WindowEditor({ initial, window, close }: WindowEditorProps): ReactNode {
  return (
    <PolicyDialog<WindowForm, WindowDefinition> title={window === null ? 'New suppression window' : `Change ${window.name}`}
      what="Matching alerts are recorded, and nobody is told of them until the window ends." initial={initial} read={readWindow}
      path={window === null ? SUPPRESSION_PATH : onePath(SUPPRESSION_PATH, window.id)} version={window?.version} replaces={window !== null} close={close}>
      {(parts) => <WindowFields {...parts} />}
    </PolicyDialog>
  );
}

interface FieldsProps {
  readonly form: WindowForm;
  readonly errors: Errors;
  readonly change: (part: Partial<WindowForm>) => void;
}

function WindowFields({ form, errors, change }: FieldsProps): ReactNode {
  const text = (name: Exclude<keyof WindowForm, 'again'>, label: string, placeholder = ''): ReactNode => (
    <Field label={label} error={errors[`/${name}`]}>
      {(ids) => <input {...ids} autoComplete="off" spellCheck={false} placeholder={placeholder} value={form[name]} onChange={(event) => change({ [name]: event.target.value })} />}
    </Field>
  );
  return (
    <>
      {text('name', 'Name', 'Nightly backup')}
      <Segments label="How often" value={form.again ? 'again' : 'once'} choices={[['once', 'Once'], ['again', 'Again and again']]} onChoose={(often) => change({ again: often === 'again' })} />
      {form.again ? <AgainFields form={form} errors={errors} change={change} /> : (
        <div className="form-row">
          {(['start', 'end'] as const).map((name) => (
            <Field key={name} label={name === 'start' ? 'From (your time)' : 'Until'} error={errors[`/${name}`]}>
              {(ids) => <input {...ids} type="datetime-local" value={form[name]} onChange={(event) => change({ [name]: event.target.value })} />}
            </Field>
          ))}
        </div>
      )}
      <Next form={form} />
      {text('matchers', 'Alerts with labels', 'node=~"db-.*", team=storage')}
      <div className="form-row">
        {text('service', 'Service (optional)')}
        {text('metric_pattern', 'Metrics, a regular expression (optional)', 'disk_.*')}
      </div>
      {text('comment', 'Comment (optional)')}
    </>
  );
}

function AgainFields({ form, errors, change }: FieldsProps): ReactNode {
  const zones = useMemo(() => timeZones().all, []);
  const list_id = useId();
  return (
    <>
      <div className="form-row">
        <Field label="Begins">
          {(ids) => (
            <select {...ids} value={CRONS.some(([cron]) => cron === form.cron) ? form.cron : ''} onChange={(event) => event.target.value !== '' && change({ cron: event.target.value })}>
              <option value="">as the expression says</option>
              {CRONS.map(([cron, words]) => <option key={cron} value={cron}>{words}</option>)}
            </select>
          )}
        </Field>
        <Field label="Minute, hour, day, month, weekday (cron)" error={errors['/cron']}>
          {(ids) => <input {...ids} className="mono" autoComplete="off" spellCheck={false} value={form.cron} onChange={(event) => change({ cron: event.target.value })} />}
        </Field>
      </div>
      <div className="form-row">
        <Field label="Time zone" error={errors['/time_zone']}>
          {(ids) => <input {...ids} list={list_id} autoComplete="off" spellCheck={false} value={form.time_zone} onChange={(event) => change({ time_zone: event.target.value })} />}
        </Field>
        <datalist id={list_id}>{zones.map((zone) => <option key={zone} value={zone} />)}</datalist>
        <Field label="Lasts" error={errors['/duration_seconds']}>
          {(ids) => <input {...ids} className="number" autoComplete="off" value={form.duration_seconds} onChange={(event) => change({ duration_seconds: event.target.value })} />}
        </Field>
      </div>
    </>
  );
}

/** When the window begins next, as it is in the form. */
function Next({ form }: { readonly form: WindowForm }): ReactNode {
  const now_ms = useNow() + useConnection().clock_skew_ms;
  if (!form.again) return null;
  const length_s = readSeconds(form.duration_seconds);
  const next = length_s === null ? [] : occurrencesOf({ name: '', cron: form.cron, time_zone: form.time_zone, duration_seconds: length_s }, now_ms, OCCURRENCES);
  return (
    <div className="answer waiting" data-occurrences={next.length}>
      {next.length === 0 ? <p>No begin can be read out of this yet.</p> : (
        <ol className="occurrences" aria-label="The next begins">
          {next.map((one) => (
            <li key={one.from_ms}>
              <strong>{momentText(one.from_ms, form.time_zone)}</strong> <span className="muted">{form.time_zone}{sameClock(form.time_zone) ? '' : `; ${momentText(one.from_ms)} your time`}, for {spokenSeconds(length_s ?? 0)}</span>
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}

function sameClock(time_zone: string): boolean {
  return time_zone === timeZones().own;
}
