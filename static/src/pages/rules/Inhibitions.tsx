import { useState, type ReactNode } from 'react';
import type { Inhibition, InhibitionDefinition } from '../../api/policies';
import { INHIBITIONS_PATH, onePath, useInhibitions } from '../../api/policyQueries';
import { useRefusal } from '../../state/role';
import { DataAge } from '../../ui/DataAge';
import { Field } from '../../ui/Field';
import { Icon } from '../../ui/icons';
import { Empty, Loaded, Panel } from '../../ui/Panel';
import { lines, type Errors } from './conditionForm';
import { DeletePolicy } from './DeletePolicy';
import { PolicyDialog } from './PolicyDialog';

interface InhibitionForm {
  readonly source: string;
  readonly target: string;
  readonly equal: string;
}

const EMPTY: InhibitionForm = { source: '', target: '', equal: 'node' };

/** Alerts that hold others back while they fire: the node that is down mutes what runs on it. */
export function Inhibitions(): ReactNode {
  const query = useInhibitions();
  const refusal = useRefusal('change inhibitions');
  const [making, setMaking] = useState(false);
  return (
    <>
      <Panel title="Inhibition" count={query.data?.items.length}
        actions={<><DataAge read_at_ms={query.dataUpdatedAt} /><button type="button" className="primary" disabled={refusal !== null} title={refusal ?? undefined} onClick={() => setMaking(true)}><Icon name="plus" size={14} />New inhibition</button></>}>
        <Loaded query={query} rows={3}>
          {({ items }) => (items.length === 0
            ? <Empty title="No inhibition"><p>While one alert fires, others with the same labels are recorded and nobody is told: the cause speaks, its consequences do not.</p></Empty>
            : (
              <ul className="policies">
                {items.map((item) => (
                  <li key={item.id}>
                    <Sentence item={item} />
                    <DeletePolicy name="this inhibition" what="Alerts that it holds back fire if their condition still holds." path={onePath(INHIBITIONS_PATH, item.id)} refusal={refusal} />
                  </li>
                ))}
              </ul>
            ))}
        </Loaded>
      </Panel>
      {making && (
        <PolicyDialog<InhibitionForm, InhibitionDefinition> title="New inhibition" what="While an alert of the first kind fires, those of the second with the same labels are held back."
          initial={EMPTY} read={read} path={INHIBITIONS_PATH} replaces={false} close={() => setMaking(false)}>
          {({ form, errors, change }) => (
            <>
              <Text label="While alerts with" pointer="/source_matchers" placeholder="severity=critical, rule_id=node_down" value={form.source} errors={errors} change={(source) => change({ source })} />
              <Text label="fire, hold back alerts with" pointer="/target_matchers" placeholder="severity=~warning|info" value={form.target} errors={errors} change={(target) => change({ target })} />
              <Text label="that have the same" pointer="/equal" placeholder="node, service" value={form.equal} errors={errors} change={(equal) => change({ equal })} />
            </>
          )}
        </PolicyDialog>
      )}
    </>
  );
}

function Sentence({ item }: { readonly item: Inhibition }): ReactNode {
  return (
    <p>
      While <span className="mono">{item.source_matchers.join(', ')}</span> fires, <span className="mono">{item.target_matchers.join(', ')}</span> is held back
      {item.equal.length > 0 && <> on the same <span className="mono">{item.equal.join(', ')}</span></>}.
    </p>
  );
}

function read(form: InhibitionForm): { readonly definition: InhibitionDefinition } | { readonly errors: Errors } {
  const errors: Record<string, string> = {};
  const definition = { source_matchers: lines(form.source), target_matchers: lines(form.target), equal: lines(form.equal) };
  for (const name of ['source_matchers', 'target_matchers'] as const) if (definition[name].length === 0) errors[`/${name}`] = 'At least one is needed, such as severity=critical';
  return Object.keys(errors).length === 0 ? { definition } : { errors };
}

interface TextProps {
  readonly label: string;
  readonly pointer: string;
  readonly placeholder: string;
  readonly value: string;
  readonly errors: Errors;
  readonly change: (value: string) => void;
}

function Text({ label, pointer, placeholder, value, errors, change }: TextProps): ReactNode {
  const error = Object.entries(errors).find(([at]) => at.startsWith(pointer))?.[1];
  return (
    <Field label={label} error={error}>
      {(ids) => <input {...ids} autoComplete="off" spellCheck={false} placeholder={placeholder} value={value} onChange={(event) => change(event.target.value)} />}
    </Field>
  );
}
