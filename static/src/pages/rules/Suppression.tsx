import { useState, type ReactNode } from 'react';
import type { SuppressionWindow } from '../../api/policies';
import { onePath, SUPPRESSION_PATH, useWindows } from '../../api/policyQueries';
import { spokenSeconds } from '../../format/seconds';
import { dateAndClock, duration, unixMs } from '../../format/times';
import { useConnection } from '../../state/context';
import { useRefusal } from '../../state/role';
import { useNow } from '../../state/ticker';
import { DataAge } from '../../ui/DataAge';
import { Icon } from '../../ui/icons';
import { Empty, Loaded, Panel } from '../../ui/Panel';
import { ScrollBox } from '../../ui/ScrollBox';
import { Calendar } from './Calendar';
import { DeletePolicy } from './DeletePolicy';
import { momentText, timeZones } from './occurrences';
import { WindowEditor } from './WindowEditor';
import { emptyWindow, windowForm, type WindowForm } from './windowForm';

type Editing = { readonly form: WindowForm; readonly window: SuppressionWindow | null };

/** When alerts are held back, and which. */
export function Suppression(): ReactNode {
  const query = useWindows();
  const refusal = useRefusal('suppress alerts');
  const now_ms = useNow() + useConnection().clock_skew_ms;
  const [editing, setEditing] = useState<Editing | null>(null);
  const items = query.data?.items ?? [];
  const make = <button type="button" className="primary" disabled={refusal !== null} title={refusal ?? undefined}
    onClick={() => setEditing({ form: emptyWindow(now_ms, timeZones().own), window: null })}><Icon name="plus" size={14} />New window</button>;
  return (
    <>
      {items.some((window) => !window.over) && <Calendar windows={items.filter((window) => !window.over)} now_ms={now_ms} />}
      <Panel title="Suppression windows" count={query.data?.items.length} flush actions={<><DataAge read_at_ms={query.dataUpdatedAt} />{make}</>}>
        <Loaded query={query} rows={4}>
          {() => (items.length === 0
            ? <Empty title="No window"><p>During a window, matching alerts are recorded and nobody is told; what still holds at its end fires.</p></Empty>
            : (
              <ScrollBox label="Suppression windows" kind="table-box">
                <table className="data fitted policy-table">
                  <caption className="visually-hidden">Suppression windows</caption>
                  <thead><tr><th scope="col">Window</th><th scope="col">Now</th><th scope="col">When</th><th scope="col">Which alerts</th><th scope="col"><span className="visually-hidden">Change</span></th></tr></thead>
                  <tbody>
                    {[...items].sort(byUrgency).map((window) => (
                      <tr key={window.id} data-window={window.name} data-window-state={window.active ? 'active' : window.over ? 'over' : 'waiting'}>
                        <td><strong>{window.name === '' ? window.id : window.name}</strong>{window.comment !== undefined && <p className="muted">{window.comment}</p>}</td>
                        <td className="nowrap"><Now window={window} now_ms={now_ms} /></td>
                        <td><When window={window} /></td>
                        <td className="mono wrap">{subjects(window).join(', ')}</td>
                        <td className="policy-act nowrap">
                          <button type="button" className="small quiet" disabled={refusal !== null} title={refusal ?? undefined} aria-label={`Change ${window.name}`}
                            onClick={() => setEditing({ form: windowForm(window, now_ms, timeZones().own), window })}><Icon name="edit" size={13} /></button>
                          <DeletePolicy name={window.name === '' ? window.id : window.name} what="Alerts that it holds back fire if their condition still holds." path={onePath(SUPPRESSION_PATH, window.id)} refusal={refusal} />
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </ScrollBox>
            ))}
        </Loaded>
      </Panel>
      {editing !== null && <WindowEditor initial={editing.form} window={editing.window} close={() => setEditing(null)} />}
    </>
  );
}

/** Active ones first, then by their next begin; what is over last. */
function byUrgency(left: SuppressionWindow, right: SuppressionWindow): number {
  const place = (window: SuppressionWindow): number => (window.active ? 0 : window.over ? Infinity : (unixMs(window.next_start) ?? Infinity));
  return place(left) === place(right) ? left.name.localeCompare(right.name) : place(left) - place(right);
}

function Now({ window, now_ms }: { readonly window: SuppressionWindow; readonly now_ms: number }): ReactNode {
  const in_s = (at: string | null): string => duration(((unixMs(at) ?? now_ms) - now_ms) / 1000);
  if (window.active) return <span className="status tone-warn"><Icon name="mute" size={13} />active, {in_s(window.active_until)} left</span>;
  if (window.over) return <span className="muted">over</span>;
  return <span className="status tone-none"><Icon name="clock" size={13} />in {in_s(window.next_start)}</span>;
}

function When({ window }: { readonly window: SuppressionWindow }): ReactNode {
  if (window.cron === undefined) return <>{dateAndClock(window.start)} <span className="muted">to</span> {dateAndClock(window.end)}</>;
  const zone = window.time_zone ?? 'UTC';
  const next_ms = unixMs(window.next_start);
  return (
    <>
      <span className="mono">{window.cron}</span> <span className="muted">{zone}, for {spokenSeconds(window.duration_seconds ?? 0)}</span>
      {next_ms !== null && <p className="muted">next {momentText(next_ms, zone)}</p>}
    </>
  );
}

function subjects(window: SuppressionWindow): string[] {
  return [
    ...(window.service === undefined ? [] : [`service ${window.service}`]), ...(window.metric_pattern === undefined ? [] : [`metric ${window.metric_pattern}`]),
    ...(window.matchers ?? []),
  ];
}
