import * as Dialog from '@radix-ui/react-dialog';
import { useState, type KeyboardEvent, type ReactNode } from 'react';
import { useAlertAction } from '../../api/alertQueries';
import type { AlertAction, BulkOutcome, OpenedAlert } from '../../api/alerts';
import { messageOf } from '../../api/problem';
import { count } from '../../format/numbers';
import { Field } from '../../ui/Field';

/** What is about to be done, to which alerts. */
export interface Intent {
  readonly action: AlertAction;
  readonly alerts: readonly OpenedAlert[];
}

interface ActDialogProps {
  readonly intent: Intent | null;
  readonly close: () => void;
  readonly onDone?: (outcome: BulkOutcome, intent: Intent) => void;
}

const VERBS: Readonly<Record<AlertAction, string>> = { acknowledge: 'Acknowledge', resolve: 'Resolve' };
const MEANINGS: Readonly<Record<AlertAction, string>> = {
  acknowledge: 'You take it in hand: it does not escalate any more, and everybody sees your name.',
  resolve: 'It is over. If its condition still holds, the next breach after a good value opens another alert.',
};
const NAMED = 4;

/** Acknowledges or resolves, with a comment for the history. Enter does it. */
export function ActDialog({ intent, close, onDone }: ActDialogProps): ReactNode {
  return (
    <Dialog.Root open={intent !== null} onOpenChange={(open) => !open && close()}>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        {intent !== null && (
          <Dialog.Content className="dialog" data-act={intent.action}>
            <Dialog.Title>{VERBS[intent.action]} {subject(intent.alerts)}?</Dialog.Title>
            <Dialog.Description>{MEANINGS[intent.action]}</Dialog.Description>
            <ActForm intent={intent} close={close} onDone={onDone} />
          </Dialog.Content>
        )}
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function ActForm({ intent, close, onDone }: { readonly intent: Intent; readonly close: () => void; readonly onDone: ActDialogProps['onDone'] }): ReactNode {
  const [comment, setComment] = useState('');
  const act = useAlertAction((outcome) => {
    onDone?.(outcome, intent);
    if (outcome.failed.length === 0) close();
  });
  const submit = (): void => act.mutate({ ids: intent.alerts.map((alert) => alert.id), action: intent.action, comment });
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    submit();
  };
  const failed = act.data?.failed ?? [];
  const titles = new Map(intent.alerts.map((alert) => [alert.id, alert.title]));
  return (
    <form className="form" onSubmit={(event) => {
      event.preventDefault();
      submit();
    }}>
      {intent.alerts.length > 1 && (
        <ul className="act-names">
          {intent.alerts.slice(0, NAMED).map((alert) => <li key={alert.id}>{alert.title}</li>)}
          {intent.alerts.length > NAMED && <li className="muted">and {count(intent.alerts.length - NAMED)} more</li>}
        </ul>
      )}
      <Field label="Comment (optional)">
        {(ids) => (
          <textarea {...ids} rows={2} maxLength={1_000} value={comment} onChange={(event) => setComment(event.target.value)} onKeyDown={onKeyDown} />
        )}
      </Field>
      {act.error !== null && <p className="notice tone-bad" role="alert"><span>{messageOf(act.error)}</span></p>}
      {failed.length > 0 && (
        <div className="answer refused" role="alert">
          {(act.data?.done.length ?? 0) > 0 && <p>{count(act.data?.done.length)} done, {count(failed.length)} not:</p>}
          {failed.slice(0, NAMED).map((one) => <p key={one.id}>{titles.get(one.id) ?? one.id}: {one.detail}</p>)}
        </div>
      )}
      <div className="dialog-actions">
        <Dialog.Close type="button">{failed.length > 0 ? 'Close' : 'Leave it'}</Dialog.Close>
        <button type="submit" className="primary" disabled={act.isPending || failed.length > 0}>{VERBS[intent.action]}</button>
      </div>
    </form>
  );
}

function subject(alerts: readonly OpenedAlert[]): string {
  const [only] = alerts;
  return alerts.length === 1 && only !== undefined ? only.title : `${count(alerts.length)} alerts`;
}
