import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { DISABLE_PATH } from '../../api/faultQueries';
import { messageOf } from '../../api/problem';
import type { Fault, FaultScenario } from '../../api/testing';
import { bytes, count, UNKNOWN } from '../../format/numbers';
import { useServices } from '../../state/context';
import { ADMINS, useRefusal } from '../../state/role';
import { Countdown } from '../../ui/Countdown';
import { Facts } from '../../ui/Facts';
import { Icon } from '../../ui/icons';
import { Status } from '../../ui/Status';
import { EnableFault } from './EnableFault';
import { parametersText, parameterTitle, sentence } from './faultForm';

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
      <p>{sentence(scenario.what)}</p>
      <p className="muted"><Icon name="check" size={12} /> {sentence(scenario.promise)}</p>
      {active === undefined ? <QuietFault scenario={scenario} is_lab={is_lab} /> : <ActiveFault fault={active} scenario={scenario} />}
    </li>
  );
}

function QuietFault({ scenario, is_lab }: { readonly scenario: FaultScenario; readonly is_lab: boolean }): ReactNode {
  const names = scenario.parameters.map(parameterTitle).join(', ').toLowerCase();
  return (
    <div className="fault-foot">
      <EnableFault scenario={scenario} is_lab={is_lab} />
      <p className="muted">
        {names === '' ? '' : `${names}; `}at most {`${scenario.duration_s_max}\u00a0s`}
        <br />
        <span className="fault-metric" title={scenario.metric}>{scenario.metric}</span>
      </p>
    </div>
  );
}

function ActiveFault({ fault, scenario }: { readonly fault: Fault; readonly scenario: FaultScenario }): ReactNode {
  const { api } = useServices();
  const queries = useQueryClient();
  const refusal = useRefusal('end a fault', ADMINS);
  const end = useMutation({
    mutationFn: () => api.post(DISABLE_PATH, { id: fault.id }),
    onSettled: () => queries.invalidateQueries({ queryKey: ['sim'] }),
  });
  const { observed } = fault;
  const parameters = parametersText(scenario.parameters, fault.parameters);
  return (
    <div className="fault-active">
      <Facts rows={[
        ['Ends in', <Countdown key="end" until={fault.ends_at} />],
        ...(parameters === '' ? [] : [['With', parameters] as const]),
        ['By', fault.started_by ?? UNKNOWN],
      ]} />
      {observed !== null && (
        <p className="observed" data-observed={observed.now ?? ''}>
          <span className="fault-metric" title={observed.metric}>{observed.metric}</span>
          <span>{figure(observed.metric, observed.before)} <span className="muted">→</span> <strong>{figure(observed.metric, observed.now)}</strong></span>
        </p>
      )}
      <div className="form-actions">
        <button type="button" className="small" disabled={refusal !== null || end.isPending} title={refusal ?? undefined} onClick={() => end.mutate()}
          aria-label={`End ${scenario.title}`}>
          <Icon name="stop" size={12} />End it
        </button>
        {end.error !== null && <span className="tone-bad" role="alert">{messageOf(end.error)}</span>}
      </div>
    </div>
  );
}

/** The value of a metric, in the unit that its name ends with. */
function figure(metric: string, value: number | null): string {
  return /_bytes(\{|$)/.test(metric) ? bytes(value) : count(value);
}
