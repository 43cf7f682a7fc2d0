import { useCallback, useEffect, useRef, useState, type ReactNode } from 'react';
import { useNavigate } from 'react-router';
import type { AlertAction, OpenedAlert } from '../../api/alerts';
import { count } from '../../format/numbers';
import { useRefusal } from '../../state/role';
import { ScrollBox } from '../../ui/ScrollBox';
import { usePageKeys } from '../../ui/shell/pageKeys';
import { ActDialog, type Intent } from './ActDialog';
import { AlertRow } from './AlertRow';
import type { Row } from './merging';

interface AlertListProps {
  readonly rows: readonly Row[];
}

/** The alerts with what can be done with them: by pointer, by keys, one or many. */
export function AlertList({ rows }: AlertListProps): ReactNode {
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [marked, setMarked] = useState<string | null>(null);
  const [intent, setIntent] = useState<Intent | null>(null);
  const refusal = useRefusal('acknowledge and resolve alerts');
  const navigate = useNavigate();
  const body = useRef<HTMLTableSectionElement>(null);
  const open = rows.filter((row) => row.alert.state !== 'resolved').map((row) => row.alert);
  // What left the list, or is over, is not selected any more.
  const chosen = open.filter((alert) => selected.has(alert.id));
  const at = rows.findIndex((row) => row.alert.id === marked);
  const select = useCallback((id: string) => setSelected((before) => toggled(before, id)), []);
  const act = useCallback((action: AlertAction, ...alerts: OpenedAlert[]) => alerts.length > 0 && setIntent({ action, alerts }), []);
  const mark = (to: number): void => setMarked(rows[Math.min(rows.length - 1, Math.max(0, to))]?.alert.id ?? null);
  const actByKey = (action: AlertAction): void => {
    const here = rows[at]?.alert;
    const meant = chosen.length > 0 ? chosen : here === undefined || here.state === 'resolved' ? [] : [here];
    if (refusal === null) act(action, ...meant);
  };
  usePageKeys({
    j: () => mark(at + 1),
    k: () => mark(at < 0 ? 0 : at - 1),
    x: () => marked !== null && open.some((alert) => alert.id === marked) && select(marked),
    a: () => actByKey('acknowledge'),
    r: () => actByKey('resolve'),
    Enter: () => marked !== null && void navigate(`/alerts/${encodeURIComponent(marked)}`),
    Escape: () => (chosen.length > 0 ? setSelected(new Set()) : setMarked(null)),
  });
  useEffect(() => {
    body.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest' });
  }, [marked]);
  const all_chosen = open.length > 0 && chosen.length === open.length;
  return (
    <>
      {chosen.length > 0 && (
        <div className="bulk" role="region" aria-label="Selected alerts">
          <strong aria-live="polite">{count(chosen.length)} selected</strong>
          <button type="button" className="small primary" disabled={refusal !== null} title={refusal ?? undefined} onClick={() => act('acknowledge', ...chosen)}>Acknowledge</button>
          <button type="button" className="small" disabled={refusal !== null} title={refusal ?? undefined} onClick={() => act('resolve', ...chosen)}>Resolve</button>
          <button type="button" className="small quiet" onClick={() => setSelected(new Set())}>Clear</button>
        </div>
      )}
      <ScrollBox label="Alerts" kind="table-box">
        <table className="data alert-table">
          <caption className="visually-hidden">Alerts</caption>
          <thead>
            <tr>
              <th scope="col" className="alert-pick">
                <input type="checkbox" aria-label="Select all that are open" checked={all_chosen} disabled={open.length === 0}
                  onChange={() => setSelected(all_chosen ? new Set() : new Set(open.map((alert) => alert.id)))} />
              </th>
              <th scope="col" className="alert-severity">Severity</th>
              <th scope="col" className="alert-what">Alert</th>
              <th scope="col" className="alert-where">Node, service</th>
              <th scope="col" className="number alert-value">Value</th>
              <th scope="col" className="number alert-age">Age</th>
              <th scope="col" className="number alert-times">Count</th>
              <th scope="col" className="number alert-score"><abbr title="Urgency from 0 to 100: severity, duration, breadth and the weight of the service">Score</abbr></th>
              <th scope="col" className="alert-state">State</th>
              <th scope="col" className="alert-act"><span className="visually-hidden">Action</span></th>
            </tr>
          </thead>
          <tbody ref={body}>
            {rows.map(({ alert, is_leaving }) => (
              <AlertRow key={alert.id} alert={alert} is_leaving={is_leaving} is_selected={selected.has(alert.id) && alert.state !== 'resolved'}
                is_marked={alert.id === marked} refusal={refusal} onSelect={select} onAct={act} />
            ))}
          </tbody>
        </table>
      </ScrollBox>
      <ActDialog intent={intent} close={() => setIntent(null)} onDone={() => setSelected(new Set())} />
    </>
  );
}

function toggled(set: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(id)) next.add(id);
  return next;
}
