import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useState, type ReactNode } from 'react';
import type { SyncDoc, SyncEntry } from '../../api/delivery';
import { useSyncDoc, useSyncDocs } from '../../api/deliveryQueries';
import { ApiError } from '../../api/problem';
import { bytes, count } from '../../format/numbers';
import { useTopic } from '../../state/context';
import { useParameter } from '../../state/view';
import { Age } from '../../ui/Age';
import { Empty, Loaded, Panel } from '../../ui/Panel';
import { ScrollBox } from '../../ui/ScrollBox';
import { SyncEdit } from './SyncEdit';

const NAME = /^[A-Za-z0-9_.-]{1,64}$/;

/** Shared documents; one of them opens with its keys, versions and conflicts (`?doc=runbook`). */
export function SyncDocs(): ReactNode {
  const query = useSyncDocs();
  const [doc, setDoc] = useParameter('doc');
  return (
    <Panel title="Sync documents" count={query.data?.items.length} flush actions={<OpenDoc onOpen={setDoc} />}>
      <Loaded query={query}>
        {(page) => (page.items.length === 0
          ? <Empty title="No document yet"><p>Open one by its name and put a value into it.</p></Empty>
          : (
            <ScrollBox label="Documents" kind="table-box">
              <table className="data fitted">
                <caption className="visually-hidden">Sync documents</caption>
                <thead>
                  <tr>
                    <th scope="col">Document</th><th scope="col" className="number">Version</th><th scope="col" className="number">Keys</th>
                    <th scope="col" className="number">Size</th><th scope="col" className="number">Conflicts</th><th scope="col" className="number">Changed</th>
                  </tr>
                </thead>
                <tbody>
                  {page.items.map((item) => (
                    <tr key={item.doc} className={item.doc === doc ? 'chosen' : undefined}>
                      <td><button type="button" className="link mono" aria-pressed={item.doc === doc} onClick={() => setDoc(item.doc === doc ? null : item.doc)}>{item.doc}</button></td>
                      <td className="number">{count(item.version)}</td>
                      <td className="number">{count(item.keys)}</td>
                      <td className="number">{bytes(item.bytes)}</td>
                      <td className="number" title={`${item.conflicts.won} won by the newer put, ${item.conflicts.lost} turned down`}>
                        <span className={item.conflicts.total > 0 ? 'tone-warn' : undefined}>{count(item.conflicts.total)}</span>
                      </td>
                      <td className="number"><Age at={item.updated_at} suffix=" ago" /></td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </ScrollBox>
          ))}
      </Loaded>
      {doc !== null && <OpenedDoc key={doc} doc={doc} onClose={() => setDoc(null)} />}
    </Panel>
  );
}

function OpenDoc({ onOpen }: { readonly onOpen: (doc: string) => void }): ReactNode {
  const [name, setName] = useState('');
  const wrong = name !== '' && !NAME.test(name);
  return (
    <form className="open-doc" onSubmit={(event) => {
      event.preventDefault();
      if (NAME.test(name)) onOpen(name);
    }}>
      <input aria-label="Name of a document" aria-invalid={wrong || undefined} placeholder="Name" value={name} spellCheck={false}
        onChange={(event) => setName(event.target.value)} />
      <button type="submit" disabled={name === '' || wrong}>Open</button>
    </form>
  );
}

function OpenedDoc({ doc, onClose }: { readonly doc: string; readonly onClose: () => void }): ReactNode {
  const query = useSyncDoc(doc);
  const queries = useQueryClient();
  const [edited, setEdited] = useState<SyncEntry | null>(null);
  const changed = useCallback(() => void queries.invalidateQueries({ queryKey: ['sync'] }), [queries]);
  useTopic(`sync:${doc}`, changed);
  const is_new = query.error instanceof ApiError && query.error.status === 404;
  return (
    <div className="sync-doc" data-doc={doc}>
      <header className="panel-head">
        <h3 className="mono">{doc}</h3>
        {query.data && <DocFacts doc={query.data} />}
        <div className="panel-actions"><button type="button" className="small" onClick={onClose}>Close</button></div>
      </header>
      {is_new
        ? <p className="muted panel-foot">There is no document of this name yet: the first put makes it.</p>
        : <Loaded query={query}>{(data) => <Entries entries={data.entries} chosen={edited?.key ?? null} onEdit={setEdited} />}</Loaded>}
      <SyncEdit key={edited?.key ?? ''} doc={doc} entry={edited} entries={query.data?.entries ?? []} onDone={changed} />
    </div>
  );
}

function DocFacts({ doc: { version, conflicts } }: { readonly doc: SyncDoc }): ReactNode {
  return (
    <span className="muted" data-conflicts={conflicts.total}>
      version {count(version)}, {count(conflicts.total)} conflicts ({count(conflicts.won)} won, {count(conflicts.lost)} lost)
    </span>
  );
}

interface EntriesProps {
  readonly entries: readonly SyncEntry[];
  readonly chosen: string | null;
  readonly onEdit: (entry: SyncEntry) => void;
}

function Entries({ entries, chosen, onEdit }: EntriesProps): ReactNode {
  if (entries.length === 0) return <Empty title="No key yet" />;
  return (
    <ScrollBox label="Keys of the document">
      <table className="data fitted">
        <caption className="visually-hidden">Keys of the document</caption>
        <thead>
          <tr><th scope="col">Key</th><th scope="col">Value</th><th scope="col" className="number">Version</th><th scope="col">Writer</th><th scope="col" className="number">Changed</th></tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <tr key={entry.key} className={entry.key === chosen ? 'chosen' : undefined} data-key={entry.key}>
              <td><button type="button" className="link mono" onClick={() => onEdit(entry)}>{entry.key}</button></td>
              <td className="payload">{entry.value === null ? <span className="muted">deleted</span> : <code title={JSON.stringify(entry.value)}>{JSON.stringify(entry.value)}</code>}</td>
              <td className="number">{count(entry.version)}</td>
              <td className="mono writer" title={entry.writer}>{entry.writer}</td>
              <td className="number"><Age at={entry.timestamp} suffix=" ago" /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollBox>
  );
}
