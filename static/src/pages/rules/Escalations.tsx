import { useState, type ReactNode } from 'react';
import type { EscalationDefinition, EscalationPolicy } from '../../api/policies';
import { ESCALATION_PATH, onePath, useEscalations } from '../../api/policyQueries';
import { spokenSeconds, writeSeconds } from '../../format/seconds';
import { useRefusal } from '../../state/role';
import { DataAge } from '../../ui/DataAge';
import { Field } from '../../ui/Field';
import { Icon } from '../../ui/icons';
import { Empty, Loaded, Panel } from '../../ui/Panel';
import { FormReader, lines, type Errors } from './conditionForm';
import { DeletePolicy } from './DeletePolicy';
import { PolicyDialog } from './PolicyDialog';

interface LevelForm {
  readonly delay: string;
  readonly targets: string;
}

interface PolicyForm {
  readonly name: string;
  readonly levels: readonly LevelForm[];
}

const EMPTY: PolicyForm = { name: '', levels: [{ delay: '5m', targets: '' }] };

/** Who hears of alerts that nobody acknowledges, level by level. */
export function Escalations(): ReactNode {
  const query = useEscalations();
  const refusal = useRefusal('change escalation policies');
  const [editing, setEditing] = useState<{ readonly policy: EscalationPolicy | null } | null>(null);
  return (
    <>
      <Panel title="Escalation policies" count={query.data?.items.length}
        actions={<><DataAge read_at_ms={query.dataUpdatedAt} /><button type="button" className="primary" disabled={refusal !== null} title={refusal ?? undefined} onClick={() => setEditing({ policy: null })}><Icon name="plus" size={14} />New policy</button></>}>
        <Loaded query={query} rows={3}>
          {({ items }) => (items.length === 0
            ? <Empty title="No policy"><p>A policy says who is told when an alert fires on and nobody acknowledges it. Rules name the policy of their alerts.</p></Empty>
            : (
              <ul className="policies">
                {items.map((policy) => (
                  <li key={policy.id} data-policy={policy.name}>
                    <div>
                      <strong>{policy.name}</strong>
                      <ol className="levels">
                        {policy.levels.map((level, index) => (
                          <li key={level.delay_seconds}><span className="tag">{index + 1}</span> after {spokenSeconds(level.delay_seconds)}: {level.targets.join(', ')}</li>
                        ))}
                      </ol>
                    </div>
                    <span className="nowrap">
                      <button type="button" className="small quiet" disabled={refusal !== null} title={refusal ?? undefined} aria-label={`Change ${policy.name}`} onClick={() => setEditing({ policy })}><Icon name="edit" size={13} /></button>
                      <DeletePolicy name={policy.name} what="Alerts of rules that name it do not escalate any more." path={onePath(ESCALATION_PATH, policy.id)} refusal={refusal} />
                    </span>
                  </li>
                ))}
              </ul>
            ))}
        </Loaded>
      </Panel>
      {editing !== null && <Editor policy={editing.policy} close={() => setEditing(null)} />}
    </>
  );
}

function Editor({ policy, close }: { readonly policy: EscalationPolicy | null; readonly close: () => void }): ReactNode {
  const initial: PolicyForm = policy === null ? EMPTY : {
    name: policy.name, levels: policy.levels.map((level) => ({ delay: writeSeconds(level.delay_seconds), targets: level.targets.join(', ') })),
  };
  return (
    <PolicyDialog<PolicyForm, EscalationDefinition> title={policy === null ? 'New escalation policy' : `Change ${policy.name}`}
      what="Each level is told when the alert still fires that long after it began to. Acknowledging it ends this." initial={initial} read={read}
      path={policy === null ? ESCALATION_PATH : onePath(ESCALATION_PATH, policy.id)} version={policy?.version} replaces={policy !== null} close={close}>
      {({ form, errors, change }) => (
        <>
          <Field label="Name" error={errors['/name']}>{(ids) => <input {...ids} autoComplete="off" value={form.name} onChange={(event) => change({ name: event.target.value })} />}</Field>
          {form.levels.map((level, index) => (
            <LevelFields key={index} index={index} level={level} errors={errors}
              change={(next) => change({ levels: form.levels.map((other, place) => (place === index ? next : other)) })}
              onRemove={form.levels.length > 1 ? () => change({ levels: form.levels.filter((_, place) => place !== index) }) : undefined} />
          ))}
          <div><button type="button" className="small" onClick={() => change({ levels: [...form.levels, { delay: '', targets: '' }] })}><Icon name="plus" size={12} />Add a level</button></div>
        </>
      )}
    </PolicyDialog>
  );
}

interface LevelProps {
  readonly index: number;
  readonly level: LevelForm;
  readonly errors: Errors;
  readonly change: (level: LevelForm) => void;
  readonly onRemove: (() => void) | undefined;
}

function LevelFields({ index, level, errors, change, onRemove }: LevelProps): ReactNode {
  return (
    <div className="level-row">
      <span className="tag">{index + 1}</span>
      <Field label="After" error={errors[`/levels/${index}/delay_seconds`]}>
        {(ids) => <input {...ids} className="number" autoComplete="off" placeholder="15m" value={level.delay} onChange={(event) => change({ ...level, delay: event.target.value })} />}
      </Field>
      <Field label="Tell, with commas between them" error={errors[`/levels/${index}/targets`]}>
        {(ids) => <input {...ids} autoComplete="off" spellCheck={false} placeholder="alice, team-db" value={level.targets} onChange={(event) => change({ ...level, targets: event.target.value })} />}
      </Field>
      {onRemove !== undefined && <button type="button" className="small quiet" aria-label={`Remove level ${index + 1}`} onClick={onRemove}><Icon name="cross" size={12} /></button>}
    </div>
  );
}

function read(form: PolicyForm): { readonly definition: EscalationDefinition } | { readonly errors: Errors } {
  const errors: Record<string, string> = {};
  const name = new FormReader('', errors).needed('name', form.name);
  const levels = form.levels.map((level, index) => {
    const reader = new FormReader(`/levels/${index}`, errors);
    const targets = lines(level.targets);
    if (targets.length === 0) errors[`/levels/${index}/targets`] = 'It is needed';
    return { delay_seconds: Math.round(reader.seconds('delay_seconds', level.delay, true)), targets };
  });
  return Object.keys(errors).length === 0 ? { definition: { name, levels } } : { errors };
}
