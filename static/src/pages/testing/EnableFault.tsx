import * as Dialog from '@radix-ui/react-dialog';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useId, useState, type ReactNode } from 'react';
import { ENABLE_PATH } from '../../api/faultQueries';
import { messageOf } from '../../api/problem';
import type { Fault, FaultParameter, FaultScenario } from '../../api/testing';
import { useServices } from '../../state/context';
import { ADMINS, useRefusal } from '../../state/role';
import { Field } from '../../ui/Field';
import { Icon } from '../../ui/icons';
import { initialFault, parameterLabel, readFault, sentence, type FaultForm, type FaultRequest } from './faultForm';

/** Begins a fault after asking: what it does, with what, for how long, and what keeps it from doing harm. */
export function EnableFault({ scenario, is_lab }: { readonly scenario: FaultScenario; readonly is_lab: boolean }): ReactNode {
  const [open, setOpen] = useState(false);
  const refusal = useRefusal('make faults', ADMINS) ?? (is_lab ? null : 'The hub was started without --lab.');
  const reason_id = useId();
  return (
    <Dialog.Root open={open} onOpenChange={setOpen}>
      <Dialog.Trigger className="small" disabled={refusal !== null} title={refusal ?? undefined} aria-label={`Enable ${scenario.title}`}
        aria-describedby={refusal === null ? undefined : reason_id}>
        <Icon name="bolt" size={13} />Enable
      </Dialog.Trigger>
      {refusal !== null && <span id={reason_id} className="visually-hidden">{refusal}</span>}
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content className="dialog">
          <Dialog.Title>Enable {scenario.title}?</Dialog.Title>
          <Dialog.Description>
            {sentence(scenario.what)} This happens in the hub that you look at, for everybody who uses it, and ends by itself.
          </Dialog.Description>
          <EnableForm scenario={scenario} onEnabled={() => setOpen(false)} />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function EnableForm({ scenario, onEnabled }: { readonly scenario: FaultScenario; readonly onEnabled: () => void }): ReactNode {
  const { api } = useServices();
  const queries = useQueryClient();
  const [form, setForm] = useState<FaultForm>(() => initialFault(scenario));
  const enable = useMutation({
    mutationFn: (wanted: FaultRequest) => api.post<Fault>(ENABLE_PATH, wanted),
    onSuccess: onEnabled,
    onSettled: () => queries.invalidateQueries({ queryKey: ['sim'] }),
  });
  const read = readFault(scenario, form);
  const errors: Readonly<Record<string, string>> = 'errors' in read ? read.errors : {};
  return (
    <form className="form" noValidate onSubmit={(event) => {
      event.preventDefault();
      if ('request' in read) enable.mutate(read.request);
    }}>
      <div className="lab-numbers">
        {scenario.parameters.map((parameter) => (
          <Field key={parameter.name} label={parameterLabel(parameter)} error={errors[parameter.name]}>
            {(ids) => (
              <ParameterControl ids={ids} parameter={parameter} value={form.parameters[parameter.name] ?? ''}
                onChange={(value) => setForm({ ...form, parameters: { ...form.parameters, [parameter.name]: value } })} />
            )}
          </Field>
        ))}
        <Field label={`Lasts, s (at most ${scenario.duration_s_max})`} error={errors.duration_s}>
          {(ids) => (
            <input {...ids} className="number" inputMode="numeric" autoComplete="off" value={form.duration_s}
              onChange={(event) => setForm({ ...form, duration_s: event.target.value })} />
          )}
        </Field>
      </div>
      <p className="muted">Its bounds: {scenario.guard}. It shows in <span className="mono">{scenario.metric}</span>.</p>
      {enable.error !== null && <p className="notice tone-bad" role="alert"><span>{messageOf(enable.error)}</span></p>}
      <div className="dialog-actions">
        <Dialog.Close type="button">Leave it</Dialog.Close>
        <button type="submit" className="danger" disabled={enable.isPending || 'errors' in read}>
          {'request' in read ? `Enable for ${read.request.duration_s} s` : 'Enable'}
        </button>
      </div>
    </form>
  );
}

interface ParameterControlProps {
  readonly ids: { 'aria-invalid': boolean | undefined; 'aria-describedby': string | undefined };
  readonly parameter: FaultParameter;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

function ParameterControl({ ids, parameter, value, onChange }: ParameterControlProps): ReactNode {
  if (parameter.allowed && parameter.allowed.length > 0) {
    return <select {...ids} value={value} onChange={(event) => onChange(event.target.value)}>{parameter.allowed.map((choice) => <option key={choice} value={choice}>{choice}</option>)}</select>;
  }
  const is_number = parameter.kind === 'number';
  return (
    <input {...ids} className={is_number ? 'number' : undefined} inputMode={is_number ? 'decimal' : 'text'} autoComplete="off" spellCheck={false} value={value}
      onChange={(event) => onChange(event.target.value)} />
  );
}
