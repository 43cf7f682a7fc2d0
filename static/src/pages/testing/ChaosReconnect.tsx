import { useId, useState, type ReactNode } from 'react';
import { messageOf } from '../../api/problem';
import type { StoredRun } from '../../api/testing';
import { CHAOS_PATH, useRunLimits } from '../../api/testingQueries';
import { count, percent } from '../../format/numbers';
import { useRefusal } from '../../state/role';
import { Age } from '../../ui/Age';
import { Facts } from '../../ui/Facts';
import { Field } from '../../ui/Field';
import { Icon } from '../../ui/icons';
import { Panel } from '../../ui/Panel';
import { latency } from './format';
import { CHAOS_FIELDS, readChaos, type ChaosForm, type ChaosRequest } from './runForm';
import { useStart } from './useStart';

interface ChaosProps {
  readonly is_busy: boolean;
  /** The newest run with reconnects. */
  readonly newest: StoredRun | undefined;
  readonly onStarted: (id: string) => void;
}

/** Breaks connections many times in a row, and says how many came back and what they missed. */
export function ChaosReconnect({ is_busy, newest, onStarted }: ChaosProps): ReactNode {
  const [form, setForm] = useState<ChaosForm>({ reconnects: '200', connections: '20' });
  const start = useStart<ChaosRequest>(CHAOS_PATH, onStarted);
  const refusal = useRefusal('break connections') ?? (is_busy ? 'A test runs at present; one at a time.' : null);
  const reason_id = useId();
  const read = readChaos(form, useRunLimits().data);
  const errors = 'errors' in read ? read.errors : {};
  return (
    <Panel title="Chaos reconnect">
      <form className="form" aria-label="Chaos reconnect" noValidate onSubmit={(event) => {
        event.preventDefault();
        if ('request' in read && refusal === null) start.mutate(read.request);
      }}>
        <p className="muted lab-what">Cuts test connections again and again while messages flow. Each has to come back and recover what it missed.</p>
        <div className="lab-numbers">
          {CHAOS_FIELDS.map((field) => (
            <Field key={field.name} label={field.label} error={errors[field.name]}>
              {(ids) => (
                <input {...ids} className="number" inputMode="numeric" autoComplete="off" value={form[field.name]}
                  onChange={(event) => setForm({ ...form, [field.name]: event.target.value })} />
              )}
            </Field>
          ))}
        </div>
        <div className="form-actions">
          <button type="submit" disabled={refusal !== null || start.isPending || 'errors' in read} aria-describedby={refusal === null ? undefined : reason_id}>
            <Icon name="bolt" size={14} />Break connections
          </button>
        </div>
        {refusal !== null && <p id={reason_id} className="muted" data-refusal="chaos">{refusal}</p>}
        {start.error !== null && <p className="tone-bad" role="alert">{messageOf(start.error)}</p>}
      </form>
      {newest?.reconnects && <ChaosResult run={newest} reconnects={newest.reconnects} onOpen={() => onStarted(newest.id)} />}
    </Panel>
  );
}

interface ChaosResultProps {
  readonly run: StoredRun;
  readonly reconnects: NonNullable<StoredRun['reconnects']>;
  readonly onOpen: () => void;
}

function ChaosResult({ run, reconnects, onOpen }: ChaosResultProps): ReactNode {
  return (
    <section className="sub chaos-result" aria-label="Last chaos reconnect" data-chaos={run.status}>
      <h3>Last time <span className="muted"><Age at={run.started_at} suffix=" ago" /></span></h3>
      <Facts rows={reconnectRows(reconnects)} />
      <button type="button" className="small" onClick={onOpen}>Open this run</button>
    </section>
  );
}

/** What became of the reconnects of a run. */
export function reconnectRows(reconnects: NonNullable<StoredRun['reconnects']>): [string, ReactNode][] {
  return [
    ['Came back', `${percent(reconnects.success_rate)} (${count(reconnects.succeeded)} of ${count(reconnects.attempted)})`],
    ['Recovered without loss', `${count(reconnects.recovered)} of ${count(reconnects.succeeded)}`],
    ['Recovery gaps', <span key="gaps" className={reconnects.gaps > 0 ? 'tone-bad' : undefined}>{count(reconnects.gaps)}</span>],
    ['Duplicates', <span key="duplicates" className={reconnects.duplicates > 0 ? 'tone-bad' : undefined}>{count(reconnects.duplicates)}</span>],
    ['Back after, p50', latency(reconnects.back_p50_ms)],
    ['Back after, p99', latency(reconnects.back_p99_ms)],
  ];
}
