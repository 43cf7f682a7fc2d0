import type { ReactNode } from 'react';
import { clock } from '../../format/times';
import { useConnection, useServices } from '../../state/context';
import { useNow } from '../../state/ticker';
import { useViewControls } from '../../state/view';
import { Icon } from '../icons';
import { FaultStrip } from './FaultStrip';
import { canRetry, connectionText } from './connectionText';

/** Says that what is on screen is not current, and why. */
export function Notice(): ReactNode {
  const state = useConnection();
  const { socket } = useServices();
  const { paused_at_ms, togglePause } = useViewControls();
  const text = connectionText(state, useNow());
  return (
    <>
      <FaultStrip />
      {text.notice !== null && (
        <div className={`notice tone-${text.tone}`} data-notice="connection">
          <Icon name={text.icon} />
          <p>{text.notice}</p>
          {canRetry(state) && <button type="button" className="small" onClick={() => socket.retryNow()}>Connect now</button>}
        </div>
      )}
      {paused_at_ms !== null && (
        <div className="notice tone-info" data-notice="paused">
          <Icon name="pause" />
          <p>Paused: the views show {clock(paused_at_ms)}. The connection goes on.</p>
          <button type="button" className="small" onClick={togglePause}>Resume</button>
        </div>
      )}
    </>
  );
}
