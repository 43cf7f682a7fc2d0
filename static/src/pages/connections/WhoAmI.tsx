import { useSyncExternalStore, type ReactNode } from 'react';
import { UNKNOWN } from '../../format/numbers';
import { dateAndClock, duration, unixMs } from '../../format/times';
import { useConnection, useServices } from '../../state/context';
import { useNow } from '../../state/ticker';

/** Who the hub takes this browser for, and until when. */
export function WhoAmI(): ReactNode {
  const { session } = useServices();
  const auth = useSyncExternalStore(session.watch, session.state);
  const connection = useConnection();
  const now_ms = useNow();
  if (auth.kind !== 'signed_in') return null;
  const { grant } = auth;
  const expires_ms = unixMs(grant.expires_at);
  const rows: [string, string, string?][] = [
    ['Subject', grant.subject],
    ['Role', grant.role],
    ['Client', connection.hello?.client_id ?? UNKNOWN],
    ['Token', expires_ms === null ? 'none needed' : `renewed in ${duration((expires_ms - now_ms) / 1000)}`, dateAndClock(grant.expires_at)],
    ['Reconnects', String(connection.reconnects)],
  ];
  return (
    <>
      <dl className="facts">
        {rows.map(([name, value, title]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd title={title}>{value}</dd>
          </div>
        ))}
      </dl>
      <button type="button" className="small" onClick={() => void session.logout()}>Sign out</button>
    </>
  );
}
