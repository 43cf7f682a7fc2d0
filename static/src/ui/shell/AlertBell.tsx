import * as Popover from '@radix-ui/react-popover';
import { useState, type ReactNode } from 'react';
import { Link } from 'react-router';
import type { AlertStatistics } from '../../api/alerts';
import { useAlertStatistics, useMostUrgent } from '../../api/alertQueries';
import { SEVERITIES, type Severity } from '../../api/delivery';
import { count, UNKNOWN } from '../../format/numbers';
import { useAlertFeed, useConnection } from '../../state/context';
import { isReceiving } from '../../wire/connectionState';
import { Age } from '../Age';
import { Icon } from '../icons';
import { Loaded } from '../Panel';
import { Status } from '../Status';

const TONES: Readonly<Record<Severity, string>> = { critical: 'bad', error: 'bad', warning: 'warn', info: 'info' };

/** Open alerts by severity, on every page: as many as the hub counts, counted again when one changes. */
export function AlertBell(): ReactNode {
  useAlertFeed();
  const statistics = useAlertStatistics();
  const [open, setOpen] = useState(false);
  const known = statistics.data ?? null;
  const is_old = !isReceiving(useConnection());
  const badges = known === null ? [] : badgesOf(known);
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger className={is_old ? 'control bell old' : 'control bell'} data-open-alerts={known === null ? '' : openOf(known)}>
        <Icon name="bell" size={15} />
        <span className="visually-hidden">Alerts: {known === null ? 'not known yet' : countsText(known)}{is_old && ', not current'}</span>
        {badges.map(({ tone, number }) => <span key={tone} aria-hidden="true" className={`bell-badge tone-${tone}`}>{number > 99 ? '99+' : number}</span>)}
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className="popover bell-list" align="end" sideOffset={6} aria-label="Alerts">
          <p className="bell-head"><strong>{known === null ? UNKNOWN : countsText(known)}</strong><Link to="/alerts" onClick={() => setOpen(false)}>All alerts</Link></p>
          <Urgent onOpen={() => setOpen(false)} />
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

function Urgent({ onOpen }: { readonly onOpen: () => void }): ReactNode {
  const urgent = useMostUrgent();
  return (
    <Loaded query={urgent} rows={2}>
      {({ items }) => (items.length === 0 ? <p className="muted">Nothing fires.</p> : (
        <ul>
          {items.map((alert) => (
            <li key={alert.id}>
              <Link to={`/alerts/${encodeURIComponent(alert.id)}`} onClick={onOpen} className="bell-alert">
                <Status word={alert.severity} />
                <span className="bell-title">{alert.title}{alert.labels.synthetic === 'true' && <> <span className="tag synthetic">synthetic</span></>}</span>
                <Age at={alert.started_at} />
              </Link>
            </li>
          ))}
        </ul>
      ))}
    </Loaded>
  );
}

export function openOf({ by_severity }: AlertStatistics): number {
  return SEVERITIES.reduce((sum, severity) => sum + (by_severity[severity] ?? 0), 0);
}

/** `2 critical, 5 warning open`. */
function countsText(statistics: AlertStatistics): string {
  const parts = SEVERITIES.flatMap((severity) => {
    const number = statistics.by_severity[severity] ?? 0;
    return number === 0 ? [] : [`${count(number)} ${severity}`];
  });
  return parts.length === 0 ? 'none open' : `${parts.join(', ')} open`;
}

/** One number for what is bad, one for what is less so: more do not fit. */
function badgesOf({ by_severity }: AlertStatistics): { tone: string; number: number }[] {
  const sums = new Map<string, number>();
  for (const severity of SEVERITIES) sums.set(TONES[severity], (sums.get(TONES[severity]) ?? 0) + (by_severity[severity] ?? 0));
  return [...sums].flatMap(([tone, number]) => (number === 0 ? [] : [{ tone, number }]));
}
