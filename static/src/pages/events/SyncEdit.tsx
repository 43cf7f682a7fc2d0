import { useState, type ReactNode } from 'react';
import type { SyncEntry } from '../../api/delivery';
import { useConnection, useServices } from '../../state/context';
import { Field } from '../../ui/Field';
import { isObject, number, type Frame, type Json } from '../../wire/envelope';
import { RequestError } from '../../wire/pendingRequests';

interface SyncEditProps {
  readonly doc: string;
  /** The entry as it was when the edit began. */
  readonly entry: SyncEntry | null;
  /** The entries as they are now. */
  readonly entries: readonly SyncEntry[];
  readonly onDone: () => void;
}

interface Outcome {
  readonly kind: 'published' | 'refused' | 'waiting';
  readonly title: string;
  readonly detail: string;
}

/** Puts one key, based on the version that the editor saw. Editing the base shows what a conflict does. */
export function SyncEdit({ doc, entry, entries, onDone }: SyncEditProps): ReactNode {
  const { socket } = useServices();
  const { hello } = useConnection();
  const [key, setKey] = useState(entry?.key ?? '');
  const [value, setValue] = useState(entry === null ? '' : JSON.stringify(entry.value, null, 2));
  const [base, setBase] = useState(String(entry?.version ?? 0));
  const [wrong, setWrong] = useState<{ key?: string; value?: string; base?: string }>({});
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const now = entries.find((known) => known.key === key)?.version ?? 0;
  const put = async (written: string): Promise<void> => {
    const errors: typeof wrong = {};
    let parsed: Json = null;
    if (key === '') errors.key = 'A key has a name';
    try {
      parsed = JSON.parse(written) as Json;
    } catch {
      errors.value = 'Not JSON';
    }
    if (!/^\d+$/.test(base)) errors.base = 'A version is a whole number, 0 for a new key';
    setWrong(errors);
    if (Object.keys(errors).length > 0) return;
    setOutcome({ kind: 'waiting', title: 'Waiting for the hub', detail: '' });
    try {
      const reply = await socket.request('sync_put', { doc, key, value: parsed, base_version: Number(base) });
      const read = outcomeOf(reply);
      setOutcome(read.outcome);
      if (read.version !== null) setBase(String(read.version));
    } catch (error) {
      setOutcome({
        kind: 'refused', title: error instanceof RequestError ? `Refused: ${error.code}` : 'It failed', detail: error instanceof Error ? error.message : '',
      });
    }
    onDone();
  };
  if (hello?.role === 'viewer') return <p className="muted panel-foot">A viewer may read documents and not change them.</p>;
  return (
    <form className="form sync-edit" aria-label={`Change ${doc}`} onSubmit={(event) => {
      event.preventDefault();
      void put(value);
    }}>
      <div className="sync-fields">
        <Field label="Key" error={wrong.key}>
          {(ids) => <input {...ids} value={key} spellCheck={false} disabled={entry !== null} onChange={(event) => setKey(event.target.value)} />}
        </Field>
        <Field label="Value, JSON" error={wrong.value}>
          {(ids) => <textarea {...ids} rows={2} value={value} spellCheck={false} onChange={(event) => setValue(event.target.value)} />}
        </Field>
        <Field label={`Base version, now ${now}`} error={wrong.base}>
          {(ids) => <input {...ids} inputMode="numeric" value={base} onChange={(event) => setBase(event.target.value)} />}
        </Field>
      </div>
      <div className="form-actions">
        <button type="submit" className="primary">Put</button>
        {entry !== null && <button type="button" onClick={() => void put('null')}>Delete the key</button>}
        {String(now) !== base && now > 0 && <span className="tone-warn">The base is not the current version: this put is a conflict.</span>}
      </div>
      <div aria-live="polite">
        {outcome !== null && (
          <div className={`answer ${outcome.kind}`} data-outcome={outcome.kind}>
            <strong>{outcome.title}</strong>
            {outcome.detail !== '' && <span className="muted">{outcome.detail}</span>}
          </div>
        )}
      </div>
    </form>
  );
}

function outcomeOf(reply: Frame): { outcome: Outcome; version: number | null } {
  const payload = isObject(reply.payload) ? reply.payload : {};
  if (reply.type === 'sync_conflict') {
    const current = isObject(payload.current) ? payload.current : {};
    return {
      version: number(current.version),
      outcome: {
        kind: 'refused', title: `Conflict: version ${number(current.version) ?? '?'} stays`,
        detail: `${JSON.stringify(current.value ?? null)} by ${typeof current.writer === 'string' ? current.writer : '?'} is newer`,
      },
    };
  }
  const version = number(payload.version);
  const title = `Applied as version ${version ?? '?'}`;
  return {
    version,
    outcome: { kind: 'published', title, detail: payload.conflict === true ? 'It was a conflict, and this put won: it is the newer one.' : '' },
  };
}
