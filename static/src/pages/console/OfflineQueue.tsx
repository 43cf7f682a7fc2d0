import type { ReactNode } from 'react';
import { bytes, count } from '../../format/numbers';
import { duration } from '../../format/times';
import { useConnection, useServices } from '../../state/context';
import { useNow } from '../../state/ticker';
import { Icon } from '../../ui/icons';
import { Panel } from '../../ui/Panel';
import { ScrollBox } from '../../ui/ScrollBox';
import { OUTBOX_BOUND } from '../../wire/sender';

/** What this page wants to send and cannot yet; it goes out in order as soon as it can. */
export function OfflineQueue(): ReactNode {
  const { socket } = useServices();
  const { waiting, dropped } = useConnection();
  const now_ms = useNow();
  return (
    <Panel title="Waiting to be sent" count={waiting.length} flush={waiting.length > 0} actions={(
      <>
        <span className="muted">bound {OUTBOX_BOUND}, {count(dropped)} gave way</span>
        {waiting.length > 0 && <button type="button" className="small" onClick={() => socket.discardWaiting()}><Icon name="trash" size={13} />Discard</button>}
      </>
    )}>
      {waiting.length === 0
        ? <p className="muted">Nothing waits. While there is no connection, or while the hub asks for less, frames wait here.</p>
        : (
          <ScrollBox label="Frames that wait">
            <table className="data fitted" data-waiting={waiting.length}>
              <caption className="visually-hidden">Frames that wait, oldest first</caption>
              <thead><tr><th scope="col">Type</th><th scope="col">Frame</th><th scope="col" className="number">Size</th><th scope="col" className="number">Waits</th></tr></thead>
              <tbody>
                {waiting.map((outgoing) => (
                  <tr key={outgoing.id}>
                    <td>{outgoing.type}</td>
                    <td className="payload"><code className="muted">{outgoing.raw}</code></td>
                    <td className="number">{bytes(outgoing.raw.length)}</td>
                    <td className="number">{duration((now_ms - outgoing.at_ms) / 1000)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </ScrollBox>
        )}
    </Panel>
  );
}
