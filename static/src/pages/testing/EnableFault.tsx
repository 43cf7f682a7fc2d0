import * as AlertDialog from '@radix-ui/react-alert-dialog';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { ENABLE_PATH } from '../../api/faultQueries';
import { messageOf } from '../../api/problem';
import type { Fault, FaultScenario } from '../../api/testing';
import { plain } from '../../format/numbers';
import { useServices } from '../../state/context';
import { Icon } from '../../ui/icons';
import type { FaultRequest } from './faultForm';

interface EnableFaultProps {
  readonly scenario: FaultScenario;
  /** `null` while the fields cannot be read. */
  readonly request: FaultRequest | null;
  readonly refusal: string | null;
  /** Where `refusal` is said. */
  readonly reason_id: string;
}

/** Begins a fault after asking, and saying what it does and how it ends. */
export function EnableFault({ scenario, request, refusal, reason_id }: EnableFaultProps): ReactNode {
  const { api } = useServices();
  const queries = useQueryClient();
  const [open, setOpen] = useState(false);
  const enable = useMutation({
    mutationFn: (wanted: FaultRequest) => api.post<Fault>(ENABLE_PATH, wanted),
    onSuccess: () => setOpen(false),
    onSettled: () => queries.invalidateQueries({ queryKey: ['sim'] }),
  });
  const parameters = Object.entries(request?.parameters ?? {}).map(([name, value]) => `${name.replaceAll('_', ' ')} ${value}`).join(', ');
  return (
    <AlertDialog.Root open={open} onOpenChange={(next) => {
      enable.reset();
      setOpen(next);
    }}>
      <AlertDialog.Trigger disabled={refusal !== null || request === null} title={refusal ?? undefined}
        aria-label={`Enable ${scenario.title}`} aria-describedby={refusal === null ? undefined : reason_id}>
        <Icon name="bolt" size={14} />Enable
      </AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="overlay" />
        <AlertDialog.Content className="dialog">
          <AlertDialog.Title>Enable {scenario.title}?</AlertDialog.Title>
          <AlertDialog.Description>
            {scenario.what} This happens in the hub that you look at, for everybody who uses it, and ends by itself after {plain(request?.duration_s ?? 0)} s.
          </AlertDialog.Description>
          {parameters !== '' && <p>With {parameters}.</p>}
          <p className="muted">{scenario.guard}</p>
          {enable.error !== null && <p className="notice tone-bad" role="alert">{messageOf(enable.error)}</p>}
          <div className="dialog-actions">
            <AlertDialog.Cancel>Leave it</AlertDialog.Cancel>
            <button type="button" className="danger" disabled={enable.isPending || request === null} onClick={() => request !== null && enable.mutate(request)}>
              Enable for {plain(request?.duration_s ?? 0)} s
            </button>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
