import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useDeferredValue, useId, useMemo, useState, type ReactNode } from 'react';
import { useNavigate } from 'react-router';
import { ApiError, messageOf, type FieldError } from '../../api/problem';
import { rulePath, RULES_PATH } from '../../api/ruleQueries';
import type { Rule } from '../../api/rules';
import { useServices } from '../../state/context';
import { useRefusal } from '../../state/role';
import { Panel } from '../../ui/Panel';
import { actorText } from '../alerts/alertText';
import { ConditionEditor } from './ConditionEditor';
import { Preview } from './Preview';
import { AdvancedFields, SeverityFields, TextFields, TimeFields } from './RuleFields';
import { errorsOf, readRule, type RuleForm } from './ruleForm';
import { TestValues } from './TestValues';

interface RuleEditorProps {
  readonly initial: RuleForm;
  /** The rule that is changed; `null` for a new one. */
  readonly stored: Rule | null;
  /** The same rule as somebody else has changed it meanwhile. */
  readonly newer?: Rule | null;
  /** What is shown was just written. */
  readonly is_saved?: boolean;
  readonly onReload?: () => void;
  readonly onSaved?: (rule: Rule) => void;
}

/** The form of a rule, and beside it what the rule would have done and what it says of made-up values. */
export function RuleEditor({ initial, stored, newer = null, is_saved = false, onReload, onSaved }: RuleEditorProps): ReactNode {
  const { api } = useServices();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [form, setForm] = useState(initial);
  const [tried, setTried] = useState(false);
  const [found_on_the_way, setFoundOnTheWay] = useState<readonly FieldError[]>([]);
  const reason_id = useId();
  const refusal = useRefusal(stored === null ? 'make rules' : 'change rules');
  const read = useMemo(() => readRule(form), [form]);
  const save = useMutation({
    mutationFn: () => {
      if (!('definition' in read)) throw new Error('The form is not complete');
      return stored === null ? api.post<Rule>(RULES_PATH, read.definition) : api.put<Rule>(rulePath(stored.id), { ...read.definition, version: stored.version });
    },
    onSuccess: (rule) => {
      queries.setQueryData(['rules', 'one', rule.id], rule);
      if (stored === null) void navigate(`/rules/${encodeURIComponent(rule.id)}`, { replace: true });
      else onSaved?.(rule);
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ['rules', 'list'] }),
  });
  const change = (part: Partial<RuleForm>): void => {
    setForm({ ...form, ...part });
    if (save.error !== null) save.reset();
  };
  const found = save.error instanceof ApiError ? errorsOf(save.error.errors) : {};
  const errors = { ...errorsOf(found_on_the_way), ...('errors' in read && tried ? read.errors : {}), ...found };
  const conflict = save.error instanceof ApiError && save.error.status === 409 && stored !== null;
  // The preview follows what is typed when there is time for it; without a name it can be made too.
  const previewed = useDeferredValue(useMemo(() => definitionFor(form), [form]));
  const is_changed = JSON.stringify(form) !== JSON.stringify(initial);
  return (
    <div className="rule-page">
      <Panel title={stored === null ? 'New rule' : 'Definition'}>
        <form className="form rule-form" aria-label="Rule" noValidate onSubmit={(event) => {
          event.preventDefault();
          setTried(true);
          if ('definition' in read && refusal === null) save.mutate();
        }}>
          <TextFields part="name" form={form} errors={errors} change={change} />
          <ConditionEditor form={form.condition} at="" errors={errors} change={(condition) => change({ condition })} />
          <TimeFields form={form} errors={errors} change={change} />
          <SeverityFields form={form} errors={errors} change={change} />
          <TextFields part="texts" form={form} errors={errors} change={change} />
          <AdvancedFields form={form} errors={errors} change={change} />
          {newer !== null && !conflict && (
            <p className="notice tone-warn"><span>{actorText(newer.updated_by)} changed this rule meanwhile: it is at version {newer.version}.</span>
              <button type="button" className="small" onClick={onReload}>Take theirs</button></p>
          )}
          {conflict && (
            <p className="notice tone-bad" role="alert" data-notice="conflict"><span>{messageOf(save.error)}</span>
              <button type="button" className="small" onClick={onReload}>Reload</button></p>
          )}
          {save.error !== null && !conflict && <p className="notice tone-bad" role="alert"><span>{messageOf(save.error)}</span></p>}
          {tried && 'errors' in read && <p className="tone-bad" role="alert">{Object.keys(read.errors).length === 1 ? 'One field is' : `${Object.keys(read.errors).length} fields are`} not as needed.</p>}
          <div className="form-actions">
            <button type="submit" className="primary" disabled={refusal !== null || save.isPending || (stored !== null && !is_changed)} aria-describedby={refusal === null ? undefined : reason_id}>
              {stored === null ? 'Make the rule' : 'Save'}
            </button>
            {is_changed && stored !== null && <button type="button" onClick={() => setForm(initial)}>Take changes back</button>}
            <span className="muted" role="status">{is_saved && !is_changed ? 'Saved' : ''}</span>
          </div>
          {refusal !== null && <p id={reason_id} className="muted">{refusal}</p>}
        </form>
      </Panel>
      <div className="rule-side">
        <Preview definition={previewed} onFound={setFoundOnTheWay} />
        <TestValues definition={previewed} />
      </div>
    </div>
  );
}

/** What can be tried of a form: it needs a condition, but no name yet. */
function definitionFor(form: RuleForm): ReturnType<typeof tried> {
  return tried({ ...form, name: form.name.trim() === '' ? 'preview' : form.name });
}

function tried(form: RuleForm) {
  const read = readRule(form);
  return 'definition' in read ? read.definition : null;
}
