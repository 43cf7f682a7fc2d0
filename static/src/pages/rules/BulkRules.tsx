import * as AlertDialog from '@radix-ui/react-alert-dialog';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import type { BulkOutcome } from '../../api/alerts';
import { messageOf } from '../../api/problem';
import { RULES_PATH } from '../../api/ruleQueries';
import type { Rule } from '../../api/rules';
import { count } from '../../format/numbers';
import { useServices } from '../../state/context';
import { useRefusal } from '../../state/role';

type Action = 'enable' | 'disable' | 'delete';

interface BulkRulesProps {
  readonly rules: readonly Rule[];
  /** `deleted`: those that there are no more. */
  readonly onDone: (deleted: readonly Rule[]) => void;
}

const NAMED = 5;

/** What can be done with the selected rules at once. */
export function BulkRules({ rules, onDone }: BulkRulesProps): ReactNode {
  const { api } = useServices();
  const queries = useQueryClient();
  const refusal = useRefusal('change rules');
  const [asking, setAsking] = useState(false);
  const change = useMutation({
    mutationFn: (action: Action) => api.post<BulkOutcome>(`${RULES_PATH}/bulk`, { ids: rules.map((rule) => rule.id), action }),
    onSuccess: ({ done, failed }, action) => {
      setAsking(false);
      if (failed.length === 0) onDone(action === 'delete' ? rules.filter((rule) => done.includes(rule.id)) : []);
    },
    onSettled: () => Promise.all([queries.invalidateQueries({ queryKey: ['rules'] }), queries.invalidateQueries({ queryKey: ['alerts'] })]),
  });
  const is_blocked = refusal !== null || change.isPending;
  const [failure] = change.data?.failed ?? [];
  return (
    <div className="bulk" role="region" aria-label="Selected rules">
      <strong aria-live="polite">{count(rules.length)} selected</strong>
      <button type="button" className="small" disabled={is_blocked} title={refusal ?? undefined} onClick={() => change.mutate('enable')}>Enable</button>
      <button type="button" className="small" disabled={is_blocked} title={refusal ?? undefined} onClick={() => change.mutate('disable')}>Disable</button>
      <AlertDialog.Root open={asking} onOpenChange={setAsking}>
        <AlertDialog.Trigger className="small" disabled={is_blocked} title={refusal ?? undefined}>Delete</AlertDialog.Trigger>
        <AlertDialog.Portal>
          <AlertDialog.Overlay className="overlay" />
          <AlertDialog.Content className="dialog">
            <AlertDialog.Title>Delete {rules.length === 1 ? rules[0]?.name : `${count(rules.length)} rules`}?</AlertDialog.Title>
            <AlertDialog.Description>Their open alerts are resolved. Right after it you can take it back: the rules are made again, and begin anew.</AlertDialog.Description>
            {rules.length > 1 && (
              <ul className="act-names">
                {rules.slice(0, NAMED).map((rule) => <li key={rule.id}>{rule.name}</li>)}
                {rules.length > NAMED && <li className="muted">and {count(rules.length - NAMED)} more</li>}
              </ul>
            )}
            <div className="dialog-actions">
              <AlertDialog.Cancel>Keep</AlertDialog.Cancel>
              <button type="button" className="danger" disabled={change.isPending} onClick={() => change.mutate('delete')}>Delete</button>
            </div>
          </AlertDialog.Content>
        </AlertDialog.Portal>
      </AlertDialog.Root>
      {change.error !== null && <span className="tone-bad" role="alert">{messageOf(change.error)}</span>}
      {failure !== undefined && <span className="tone-bad" role="alert">{count(change.data?.failed.length)} could not be changed: {failure.detail}</span>}
    </div>
  );
}
