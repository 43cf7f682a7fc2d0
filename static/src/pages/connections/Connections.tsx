import type { ReactNode } from 'react';
import { useConnectionStats } from '../../api/queries';
import type { ConnectionStats } from '../../api/types';
import { bytes, count, perSecond } from '../../format/numbers';
import { Loaded, Panel } from '../../ui/Panel';
import './connections.css';
import { Rooms } from './Rooms';
import { Sessions } from './Sessions';
import { WhoAmI } from './WhoAmI';

export default function Connections(): ReactNode {
  const stats = useConnectionStats();
  return (
    <>
      <div className="connections-top">
        <Panel title="Signed in"><WhoAmI /></Panel>
        <Panel title="Connections"><Loaded query={stats} rows={4}>{(data) => <Stats stats={data} />}</Loaded></Panel>
        <Rooms />
      </div>
      <Sessions />
    </>
  );
}

function Stats({ stats }: { readonly stats: ConnectionStats }): ReactNode {
  const closes = Object.entries(stats.closes).filter(([, number]) => number > 0).sort(([, left], [, right]) => right - left);
  const encodings = Object.entries(stats.by_encoding).map(([encoding, number]) => `${count(number)} ${encoding}`).join(', ');
  const rows: [string, string][] = [
    ['Active', count(stats.active_connections)],
    ['By encoding', encodings === '' ? '–' : encodings],
    ['Messages/s', perSecond(stats.messages_per_second)],
    ['Deliveries/s', perSecond(stats.deliveries_per_second)],
    ['Published', count(stats.published_total)],
    ['Delivered', count(stats.delivered_total)],
    ['Received', bytes(stats.bytes_in_total)],
    ['Sent', bytes(stats.bytes_out_total)],
    ['Reconnects', count(stats.reconnects)],
    ['Closes', closes.length === 0 ? 'none' : closes.map(([cause, number]) => `${count(number)} ${cause}`).join(', ')],
  ];
  return (
    <dl className="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
