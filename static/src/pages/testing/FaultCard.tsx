import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useId, useState, type ReactNode } from 'react';
import { DISABLE_PATH } from '../../api/faultQueries';
import { messageOf } from '../../api/problem';
import type { Fault, FaultParameter, FaultScenario } from '../../api/testing';
import { plain, UNKNOWN } from '../../format/numbers';
import { duration } from '../../format/times';
import { useServices } from '../../state/context';
import { useRefusal } from '../../state/role';
import { Countdown } from '../../ui/Countdown';
import { Facts } from '../../ui/Facts';
import { Field } from '../../ui/Field';
import { Icon } from '../../ui/icons';
import { Status } from '../../ui/Status';
import { EnableFault } from './EnableFault';
import { initialFault, readFault, type FaultForm } from './faultForm';

interface FaultCardProps {
  readonly scenario: FaultScenario;
  /** Whether this hub may make faults at all. */
  readonly is_lab: boolean;
  readonly active: Fault | undefined;
}

/** One fault: what it does, what has to hold meanwhile, and how to begin and end it. */
export function FaultCard({ scenario, is_lab, active }: FaultCardProps): ReactNode {
  return (
    <li className={active === undefined ? 'fault' : 'fault active'} data-fault={scenario.name} data-state={active === undefined ? 'off' : 'active'}>
      <div className="check-head">
        <strong>{scenario.title}</strong>
        {active === undefined ? <span className="tag">{scenario.subsystem}</span> : <Status word="active" />}
      </div>
      <p>{scenario.what}</p>
      <p className="muted"><Icon name="check" size={12} /> {scenario.promise}</p>
      {active === undefined ? <FaultStart scenario={scenario} is_lab={is_lab} /> : <ActiveFault fault={active} />}
    </li>
  );
}

function FaultStart({ scenario, is_lab }: { readonly scenario: FaultScenario; readonly is_lab: boolean }): ReactNode {
  const [form, setForm] = useState<FaultForm>(() => initialFault(scenario));
  const refusal = useRefusal('make faults') ?? (is_lab ? null : 'The hub was started without --lab.');
  const reason_id = useId();
  const read = readFault(scenario, form);
  const errors: Readonly<Record<string, string>> = 'errors' in read ? read.errors : {};
  return (
    <div className="fault-start">
      <div className="lab-numbers">
        {scenario.parameters.map((parameter) => (
          <Field key={parameter.name} label={labelOf(parameter)} error={errors[parameter.name]}>
            {(ids) => (
              <ParameterControl ids={ids} parameter={parameter} value={form.parameters[parameter.name] ?? ''}
                onChange={(value) => setForm({ ...form, parameters: { ...form.parameters, [parameter.name]: value } })} />
            )}
          </Field>
        ))}
        <Field label={`Lasts, s (at most ${plain(scenario.duration_s_max)})`} error={errors.duration_s}>
          {(ids) => (
            <input {...ids} className="number" inputMode="decimal" autoComplete="off" value={form.duration_s}
              onChange={(event) => setForm({ ...form, duration_s: event.target.value })} />
          )}
        </Field>
      </div>
      <div className="form-actions">
        <EnableFault scenario={scenario} request={'request' in read ? read.request : null} refusal={refusal} reason_id={reason_id} />
        <span className="muted fault-metric" title="The metric that shows it">{scenario.metric}</span>
      </div>
      {refusal !== null && <p id={reason_id} className="visually-hidden">{refusal}</p>}
    </div>
  );
}

function labelOf({ name, unit }: FaultParameter): string {
  const words = name.replaceAll('_', ' ');
  return unit === null || unit === '' ? words : `${words}, ${unit}`;
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
    <input {...ids} className={is_number ? 'number' : undefined} inputMode={is_number ? 'decimal' : 'text'} autoComplete="off" value={value}
      onChange={(event) => onChange(event.target.value)} />
  );
}

function ActiveFault({ fault }: { readonly fault: Fault }): ReactNode {
  const { api } = useServices();
  const queries = useQueryClient();
  const refusal = useRefusal('end a fault');
  const end = useMutation({
    mutationFn: () => api.post(DISABLE_PATH, { id: fault.id }),
    onSettled: () => queries.invalidateQueries({ queryKey: ['sim'] }),
  });
  const { observed } = fault;
  const parameters = Object.entries(fault.parameters).map(([name, value]) => `${name.replaceAll('_', ' ')} ${value}`).join(', ');
  return (
    <>
      <Facts rows={[
        ['Ends in', <Countdown key="end" until={fault.ends_at} />],
        ...(parameters === '' ? [] : [['With', parameters] as const]),
        ['By', fault.started_by ?? UNKNOWN],
        ...(observed === null ? [] : [['Metric', <span key="metric" className="mono">{observed.metric}</span>] as const,
          ['Before, now', <span key="observed" data-observed={observed.now ?? ''}>{figure(observed.before)} <span className="muted">→</span> <strong>{figure(observed.now)}</strong></span>] as const]),
        ['Lasted at most', duration((Date.parse(fault.ends_at) - Date.parse(fault.started_at)) / 1000)],
      ]} />
      <div className="form-actions">
        <button type="button" disabled={refusal !== null || end.isPending} title={refusal ?? undefined} onClick={() => end.mutate()}>
          <Icon name="stop" size={12} />End it
        </button>
        {end.error !== null && <span className="tone-bad" role="alert">{messageOf(end.error)}</span>}
      </div>
    </>
  );
}

function figure(value: number | null): string {
  return value === null ? UNKNOWN : plain(value);
}
