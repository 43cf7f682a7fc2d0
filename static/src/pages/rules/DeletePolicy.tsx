import * as AlertDialog from '@radix-ui/react-alert-dialog';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { messageOf } from '../../api/problem';
import { useServices } from '../../state/context';
import { Icon } from '../../ui/icons';

interface DeletePolicyProps {
  readonly name: string;
  /** What happens then. */
  readonly what: string;
  readonly path: string;
  readonly refusal: string | null;
}

/** Deletes after asking. */
export function DeletePolicy({ name, what, path, refusal }: DeletePolicyProps): ReactNode {
  const { api } = useServices();
  const queries = useQueryClient();
  const [open, setOpen] = useState(false);
  const remove = useMutation({
    mutationFn: () => api.delete(path),
    onSuccess: () => setOpen(false),
    onSettled: () => Promise.all([queries.invalidateQueries({ queryKey: ['policies'] }), queries.invalidateQueries({ queryKey: ['alerts'] })]),
  });
  return (
    <AlertDialog.Root open={open} onOpenChange={(next) => {
      remove.reset();
      setOpen(next);
    }}>
      <AlertDialog.Trigger className="small quiet" disabled={refusal !== null} title={refusal ?? undefined} aria-label={`Delete ${name}`}><Icon name="trash" size={13} /></AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="overlay" />
        <AlertDialog.Content className="dialog">
          <AlertDialog.Title>Delete {name}?</AlertDialog.Title>
          <AlertDialog.Description>{what}</AlertDialog.Description>
          {remove.error !== null && <p className="notice tone-bad" role="alert"><span>{messageOf(remove.error)}</span></p>}
          <div className="dialog-actions">
            <AlertDialog.Cancel>Keep it</AlertDialog.Cancel>
            <button type="button" className="danger" disabled={remove.isPending} onClick={() => remove.mutate()}>Delete</button>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
