import type { ReactNode } from 'react';
import { Link } from 'react-router';
import type { Overview } from '../../api/types';
import { count, perSecond } from '../../format/numbers';
import { duration } from '../../format/times';
import { Status } from '../../ui/Status';

/** What the hub says about itself. */
export function HubPanel({ overview }: { readonly overview: Overview }): ReactNode {
  const rows: [string, ReactNode][] = [
    ['Health', <Link key="health" to="/operations"><Status word={overview.health} /></Link>],
    ['Up for', duration(overview.hub.uptime_s)],
    ['Version', overview.hub.version],
    ['Host', overview.hub.node],
    ['Workers', count(overview.hub.workers)],
    ['Store', overview.hub.store],
    ['Rooms', count(overview.rooms)],
    ['Deliveries/s', perSecond(overview.deliveries_per_second)],
    ['Actors', count(overview.supervision.actors)],
    ['Restarts', count(overview.supervision.restarts)],
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
