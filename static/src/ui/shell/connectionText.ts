import { duration } from '../../format/times';
import { isFlowing, type ConnectionState } from '../../wire/connectionState';
import type { Tone } from '../Status';
import type { IconName } from '../icons';

export interface ConnectionText {
  readonly label: string;
  readonly tone: Tone;
  readonly icon: IconName;
  /** Said below the top bar while the data on screen may be old; `null` while it is current. */
  readonly notice: string | null;
}

/** What the connection is called on screen. `now_ms` is the browser's clock. */
export function connectionText(state: ConnectionState, now_ms: number): ConnectionText {
  const age = state.last_frame_at_ms === null ? null : duration((now_ms - state.last_frame_at_ms) / 1000);
  const { fallback } = state;
  const is_polling = fallback !== null && fallback.answers > 0 && fallback.failure === null;
  const data = age === null ? 'No data has arrived yet.' : `The values below are ${age} old.`;
  switch (state.phase) {
    case 'live':
      return { label: 'Live', tone: 'ok', icon: 'check', notice: null };
    case 'syncing':
      return { label: 'Syncing', tone: 'info', icon: 'dots', notice: null };
    case 'degraded':
      return {
        label: 'Degraded', tone: 'warn', icon: 'warning',
        notice: `The hub is degraded: ${state.degraded_subsystems.join(', ')}. Data still arrives.`,
      };
    case 'draining':
      return { label: 'Draining', tone: 'warn', icon: 'clock', notice: 'The hub is draining and will close this connection soon.' };
    case 'connecting':
      if (is_polling) return polling(state, age, 'Connecting again.');
      // The attempts between two waits last moments: the notice stays, so that the page does not jump.
      return { label: 'Connecting', tone: 'info', icon: 'dots', notice: age === null ? null : `Connecting again. ${data}` };
    case 'offline': {
      const wait_s = state.retry_at_ms === null ? null : Math.max(0, Math.ceil((state.retry_at_ms - now_ms) / 1000));
      const retry = wait_s === null ? '' : ` Next attempt in ${wait_s} s.`;
      if (is_polling) return polling(state, age, `Next attempt to connect in ${wait_s ?? 0} s.`);
      return { label: 'Offline', tone: 'bad', icon: 'cross', notice: `${state.reason ?? 'Offline'}. ${data}${retry}` };
    }
    case 'stopped':
      return { label: 'Stopped', tone: 'bad', icon: 'cross', notice: `${state.reason ?? 'The connection was closed'}. ${data}` };
  }
}

/** Without a socket, with values that come over HTTP. */
function polling(state: ConnectionState, age: string | null, next: string): ConnectionText {
  return {
    label: 'Polling', tone: 'warn', icon: 'clock',
    notice: `${state.reason ?? 'No live connection'}. Values come by polling over HTTP instead${age === null ? '' : `, ${age} old`}. ${next}`,
  };
}

export function canRetry(state: ConnectionState): boolean {
  return !isFlowing(state.phase) && state.phase !== 'connecting';
}
