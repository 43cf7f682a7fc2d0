import * as Dialog from '@radix-ui/react-dialog';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { Link } from 'react-router';
import type { OpenedAlert } from '../../api/alerts';
import type { SuppressionWindow, WindowDefinition } from '../../api/policies';
import { SUPPRESSION_PATH } from '../../api/policyQueries';
import { messageOf } from '../../api/problem';
import { readSeconds } from '../../format/seconds';
import { dateAndClock } from '../../format/times';
import { useConnection, useServices } from '../../state/context';
import { useRefusal } from '../../state/role';
import { Field } from '../../ui/Field';
import { Icon } from '../../ui/icons';
import { Segments } from '../../ui/Segments';
import { isChanging, matcherOf } from './silence';

const LENGTHS: readonly (readonly [string, string])[] = [['30m', '30 min'], ['2h', '2 h'], ['8h', '8 h'], ['1d', '1 day'], ['7d', '7 days']];

/** Makes a suppression window for alerts that have the same labels. */
export function SilenceLike({ alert }: { readonly alert: OpenedAlert }): ReactNode {
  const [open, setOpen] = useState(false);
  const refusal = useRefusal('suppress alerts');
  return (
    <Dialog.Root open={open} onOpenChange={setOpen}>
      <Dialog.Trigger disabled={refusal !== null} title={refusal ?? undefined}><Icon name="mute" size={14} />Silence like this</Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content className="dialog">
          <Dialog.Title>Silence alerts like this</Dialog.Title>
          <Dialog.Description>
            Alerts with all of the chosen labels are recorded and not told of until the window ends; what still holds then fires.
          </Dialog.Description>
          <SilenceForm alert={alert} />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function SilenceForm({ alert }: { readonly alert: OpenedAlert }): ReactNode {
  const { api } = useServices();
  const { clock_skew_ms } = useConnection();
  const queries = useQueryClient();
  const names = Object.keys(alert.labels);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(() => new Set(names.filter((name) => !isChanging(name))));
  const [length, setLength] = useState('2h');
  const [comment, setComment] = useState('');
  const make = useMutation({
    mutationFn: () => {
      const start_ms = Date.now() + clock_skew_ms;
      const definition: WindowDefinition = {
        name: `like ${alert.title}`.slice(0, 200),
        matchers: names.filter((name) => chosen.has(name)).map((name) => matcherOf(name, alert.labels[name] ?? '')),
        ...(alert.service === null || !chosen.has(SERVICE) ? {} : { service: alert.service }),
        start: new Date(start_ms).toISOString(),
        end: new Date(start_ms + (readSeconds(length) ?? 0) * 1000).toISOString(),
        ...(comment.trim() === '' ? {} : { comment: comment.trim() }),
      };
      return api.post<SuppressionWindow>(SUPPRESSION_PATH, definition);
    },
    onSettled: () => Promise.all([queries.invalidateQueries({ queryKey: ['policies'] }), queries.invalidateQueries({ queryKey: ['alerts'] })]),
  });
  const toggle = (name: string): void => {
    const next = new Set(chosen);
    if (!next.delete(name)) next.add(name);
    setChosen(next);
  };
  if (make.data !== undefined) {
    return (
      <div className="answer" role="status">
        <p>Silenced until {dateAndClock(make.data.end)}.</p>
        <p><Link to="/rules?tab=suppression">All suppression windows</Link></p>
      </div>
    );
  }
  return (
    <form className="form" onSubmit={(event) => {
      event.preventDefault();
      make.mutate();
    }}>
      <fieldset className="silence-labels">
        <legend className="muted">Alerts that have</legend>
        {names.map((name) => (
          <label key={name} className="pick">
            <input type="checkbox" checked={chosen.has(name)} onChange={() => toggle(name)} /><span className="mono">{name}={alert.labels[name]}</span>
          </label>
        ))}
        {alert.service !== null && (
          <label className="pick"><input type="checkbox" checked={chosen.has(SERVICE)} onChange={() => toggle(SERVICE)} /><span className="mono">service {alert.service}</span></label>
        )}
        {names.length === 0 && alert.service === null && <p className="muted">It has neither labels nor a service: make a window by hand.</p>}
      </fieldset>
      <Segments label="For" value={length} choices={LENGTHS} onChoose={setLength} />
      <Field label="Comment (optional)">{(ids) => <input {...ids} value={comment} maxLength={500} onChange={(event) => setComment(event.target.value)} />}</Field>
      {make.error !== null && <p className="notice tone-bad" role="alert"><span>{messageOf(make.error)}</span></p>}
      <div className="dialog-actions">
        <Dialog.Close type="button">Leave it</Dialog.Close>
        <button type="submit" className="primary" disabled={make.isPending || chosen.size === 0}>Silence</button>
      </div>
    </form>
  );
}

/** Stands beside the names of labels, of which none has a space. */
const SERVICE = 'the service';
