import type { ReactNode } from 'react';
import { useHealth, useSupervision } from '../../api/queries';
import { count } from '../../format/numbers';
import { milliseconds } from '../../format/times';
import { Age } from '../../ui/Age';
import { Empty, Loaded, Panel } from '../../ui/Panel';
import { Status } from '../../ui/Status';
import './operations.css';
import { SupervisionTable } from './SupervisionTable';

const CHECK_NAMES: Readonly<Record<string, string>> = {
  breakers: 'Breakers', store: 'Store', disk_space: 'Disk space', memory: 'Memory', mailboxes: 'Mailboxes', event_loop: 'Event loop',
  engine: 'Redis', ownership: 'Ownership',
};

export default function Operations(): ReactNode {
  const health = useHealth();
  const supervision = useSupervision();
  return (
    <>
      <Panel title="Health" actions={health.data && <Status word={health.data.status} />}>
        <Loaded query={health} rows={3}>
          {(data) => (
            <ul className="checks">
              {Object.entries(data.checks).map(([name, check]) => (
                <li key={name} className={`check state-${check.status}`} data-check={name}>
                  <div className="check-head"><strong>{CHECK_NAMES[name] ?? name}</strong><Status word={check.status} /></div>
                  <p>{check.detail ?? '–'}</p>
                  <p className="muted">took {milliseconds(check.duration_ms)}, <Age at={check.checked_at} suffix=" ago" /></p>
                </li>
              ))}
            </ul>
          )}
        </Loaded>
      </Panel>
      <Panel title="Supervision" flush
        actions={supervision.data && (
          <span className="muted">{count(supervision.data.actors)} actors, {count(supervision.data.restarts)} restarts</span>
        )}>
        <Loaded query={supervision} rows={10}>
          {(data) => (data.kinds.length === 0 ? <Empty title="Nothing is supervised" /> : <SupervisionTable kinds={data.kinds} />)}
        </Loaded>
      </Panel>
    </>
  );
}
