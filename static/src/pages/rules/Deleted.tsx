import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { messageOf } from '../../api/problem';
import { RULES_PATH } from '../../api/ruleQueries';
import type { Rule } from '../../api/rules';
import { count } from '../../format/numbers';
import { useServices } from '../../state/context';
import { Icon } from '../../ui/icons';
import { definitionOf } from './definitionOf';

/** Says what was deleted, and takes it back when asked: the same rules under the same ids. */
export function Deleted({ rules, forget }: { readonly rules: readonly Rule[]; readonly forget: () => void }): ReactNode {
  const { api } = useServices();
  const queries = useQueryClient();
  const restore = useMutation({
    mutationFn: async () => {
      for (const rule of rules) await api.post(RULES_PATH, { ...definitionOf(rule), id: rule.id });
    },
    onSuccess: forget,
    onSettled: () => queries.invalidateQueries({ queryKey: ['rules'] }),
  });
  if (rules.length === 0) return null;
  return (
    <div className="notice tone-info" role="status" data-notice="deleted">
      <Icon name="trash" />
      <p>
        {rules.length === 1 ? `${rules[0]?.name ?? ''} is deleted.` : `${count(rules.length)} rules are deleted.`}
        {restore.error !== null && <span className="tone-bad"> It could not be taken back: {messageOf(restore.error)}</span>}
      </p>
      <button type="button" className="small" disabled={restore.isPending} onClick={() => restore.mutate()}>Undo</button>
      <button type="button" className="small quiet" aria-label="Close this note" onClick={forget}><Icon name="cross" size={12} /></button>
    </div>
  );
}
