import * as Dialog from '@radix-ui/react-dialog';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { ApiError, messageOf } from '../../api/problem';
import { useServices } from '../../state/context';
import { errorsOf } from './ruleForm';
import type { Errors } from './conditionForm';

type Read<D> = { readonly definition: D } | { readonly errors: Errors };

interface PolicyFormProps<F, D> {
  readonly title: string;
  readonly what: string;
  readonly initial: F;
  readonly read: (form: F) => Read<D>;
  /** The list to add to, or the one to replace; with the version that is replaced. */
  readonly path: string;
  readonly version?: number | undefined;
  readonly replaces: boolean;
  readonly close: () => void;
  readonly children: (parts: { form: F; errors: Errors; change: (part: Partial<F>) => void }) => ReactNode;
}

/** The dialog in which a window, an inhibition or an escalation policy is made or changed. */
export function PolicyDialog<F extends object, D extends object>(props: PolicyFormProps<F, D>): ReactNode {
  return (
    <Dialog.Root open onOpenChange={(open) => !open && props.close()}>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content className="dialog broad">
          <Dialog.Title>{props.title}</Dialog.Title>
          <Dialog.Description>{props.what}</Dialog.Description>
          <PolicyForm {...props} />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function PolicyForm<F extends object, D extends object>({ initial, read, path, version, replaces, close, children }: PolicyFormProps<F, D>): ReactNode {
  const { api } = useServices();
  const queries = useQueryClient();
  const [form, setForm] = useState(initial);
  const [tried, setTried] = useState(false);
  const result = read(form);
  const save = useMutation({
    mutationFn: (definition: D) => (replaces ? api.put(path, version === undefined ? definition : { ...definition, version }) : api.post(path, definition)),
    onSuccess: close,
    onSettled: () => Promise.all([queries.invalidateQueries({ queryKey: ['policies'] }), queries.invalidateQueries({ queryKey: ['alerts'] })]),
  });
  const found = save.error instanceof ApiError ? errorsOf(save.error.errors) : {};
  return (
    <form className="form" noValidate onSubmit={(event) => {
      event.preventDefault();
      setTried(true);
      if ('definition' in result) save.mutate(result.definition);
    }}>
      {children({
        form,
        errors: { ...('errors' in result && tried ? result.errors : {}), ...found },
        change: (part) => {
          setForm({ ...form, ...part });
          if (save.error !== null) save.reset();
        },
      })}
      {save.error !== null && <p className="notice tone-bad" role="alert"><span>{messageOf(save.error)}</span></p>}
      <div className="dialog-actions">
        <Dialog.Close type="button">Leave it</Dialog.Close>
        <button type="submit" className="primary" disabled={save.isPending}>{replaces ? 'Save' : 'Make it'}</button>
      </div>
    </form>
  );
}
