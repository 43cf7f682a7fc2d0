import * as AlertDialog from '@radix-ui/react-alert-dialog';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { messageOf } from '../../api/problem';
import type { ClientSession } from '../../api/types';
import { useServices } from '../../state/context';

/** Closes the connection of a session after asking. */
export function Disconnect({ session, is_own }: { readonly session: ClientSession; readonly is_own: boolean }): ReactNode {
  const { api } = useServices();
  const queries = useQueryClient();
  const [open, setOpen] = useState(false);
  const disconnect = useMutation({
    mutationFn: () => api.delete(`/api/v1/connections/${encodeURIComponent(session.client_id)}`),
    onSuccess: () => setOpen(false),
    onSettled: () => queries.invalidateQueries({ queryKey: ['connections'] }),
  });
  return (
    <AlertDialog.Root open={open} onOpenChange={(next) => {
      disconnect.reset();
      setOpen(next);
    }}>
      <AlertDialog.Trigger className="small" aria-label={`Disconnect ${session.client_id}`}>Disconnect</AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="overlay" />
        <AlertDialog.Content className="dialog">
          <AlertDialog.Title>Disconnect {session.client_id}?</AlertDialog.Title>
          <AlertDialog.Description>
            {is_own ? 'This is the connection of this very page. ' : ''}
            The hub closes the connection of {session.subject}. The client may connect again.
          </AlertDialog.Description>
          {disconnect.error !== null && <p className="notice tone-bad" role="alert">{messageOf(disconnect.error)}</p>}
          <div className="dialog-actions">
            <AlertDialog.Cancel>Keep it</AlertDialog.Cancel>
            <button type="button" className="danger" disabled={disconnect.isPending} onClick={() => disconnect.mutate()}>Disconnect</button>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
