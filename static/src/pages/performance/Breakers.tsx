import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import type { Breaker } from '../../api/delivery';
import { messageOf } from '../../api/problem';
import { bytes, count } from '../../format/numbers';
import { milliseconds } from '../../format/times';
import { useConnection, useServices } from '../../state/context';
import { Age } from '../../ui/Age';
import { Empty } from '../../ui/Panel';
import { Status } from '../../ui/Status';

/** The circuit breakers: what each guards, what it does while open, and how to open and close it by hand. */
export function Breakers({ breakers }: { readonly breakers: readonly Breaker[] }): ReactNode {
  if (breakers.length === 0) return <Empty title="The hub has no breaker" />;
  return (
    <ul className="breakers">
      {breakers.map((breaker) => <BreakerCard key={breaker.subsystem} breaker={breaker} />)}
    </ul>
  );
}

function BreakerCard({ breaker }: { readonly breaker: Breaker }): ReactNode {
  const { subsystem, state, window, held } = breaker;
  const word = state === 'half_open' ? 'half open' : state;
  return (
    <li className={`breaker state-${state}`} data-breaker={subsystem} data-state={state}>
      <div className="check-head"><strong>{subsystem}</strong><Status word={word} /></div>
      <p className="breaker-reason">{breaker.reason}, <Age at={breaker.since} suffix=" ago" /></p>
      <p className="muted">{state === 'closed' ? 'While open: ' : ''}{breaker.while_open_detail}</p>
      <p className="muted breaker-counts">
        <span>{count(window.failures)} of {count(window.calls)} failed in {milliseconds(window.span_ms)}</span>
        <span>opened {count(breaker.opened)} ×</span>
        <span className={breaker.refused > 0 ? 'tone-warn' : undefined}>refused {count(breaker.refused)}</span>
        {held !== null && <span className={held.items > 0 ? 'tone-info' : undefined}>held {heldText(held)}</span>}
        {breaker.retry_after_ms !== null && <span>tries again in {milliseconds(breaker.retry_after_ms)}</span>}
      </p>
      <BreakerAction subsystem={subsystem} is_closed={state === 'closed'} />
    </li>
  );
}

/** How much of what may wait does; some are bounded by number, some by size. */
function heldText({ items, items_max, bytes: size, bytes_max }: NonNullable<Breaker['held']>): string {
  const number = items_max === null ? count(items) : `${count(items)} of ${count(items_max)}`;
  if (size === null) return number;
  return bytes_max === null ? `${number}, ${bytes(size)}` : `${number}, ${bytes(size)} of ${bytes(bytes_max)}`;
}

function BreakerAction({ subsystem, is_closed }: { readonly subsystem: string; readonly is_closed: boolean }): ReactNode {
  const { api } = useServices();
  const queries = useQueryClient();
  const role = useConnection().hello?.role;
  const switching = useMutation({
    mutationFn: (verb: 'degrade' | 'recover') => api.post(`/api/v1/operations/${verb}`, {
      subsystem, ...(verb === 'degrade' ? { reason: 'switched on the Performance page' } : {}),
    }),
    onSettled: () => queries.invalidateQueries({ queryKey: ['performance'] }),
  });
  if (role !== 'admin' && role !== 'operator') return null;
  const verb = is_closed ? 'degrade' : 'recover';
  return (
    <div className="form-actions">
      <button type="button" className="small" disabled={switching.isPending} onClick={() => switching.mutate(verb)}
        aria-label={`${is_closed ? 'Degrade' : 'Recover'} ${subsystem}`}>
        {is_closed ? 'Degrade' : 'Recover'}
      </button>
      {switching.error !== null && <span className="tone-bad" role="alert">{messageOf(switching.error)}</span>}
    </div>
  );
}
