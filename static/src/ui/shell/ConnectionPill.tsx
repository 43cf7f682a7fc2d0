import * as Popover from '@radix-ui/react-popover';
import type { ReactNode } from 'react';
import { UNKNOWN } from '../../format/numbers';
import { duration, milliseconds } from '../../format/times';
import { useConnection, useServices } from '../../state/context';
import { useNow } from '../../state/ticker';
import { Icon } from '../icons';
import { connectionText } from './connectionText';

/** The state of the connection, with its particulars behind it. */
export function ConnectionPill(): ReactNode {
  const state = useConnection();
  const { socket } = useServices();
  const now_ms = useNow();
  const text = connectionText(state, now_ms);
  const rows: [string, string][] = [
    ['In this state for', duration((now_ms - state.since_ms) / 1000)],
    ['Last frame', state.last_frame_at_ms === null ? UNKNOWN : `${duration((now_ms - state.last_frame_at_ms) / 1000)} ago`],
    ['Round trip', milliseconds(state.round_trip_ms)],
    ['Reconnects', String(state.reconnects)],
    ['Waiting to be sent', String(state.waiting.length)],
    ['Gaps', String(socket.tally().gaps)],
    ['Client', state.hello?.client_id ?? UNKNOWN],
    ['Hub', state.hello === null ? UNKNOWN : `${state.hello.hub_node} ${state.hello.hub_version}`],
  ];
  return (
    <Popover.Root>
      <Popover.Trigger className={`pill tone-${text.tone}`} aria-label={`Connection: ${text.label}`} data-connection={state.phase}
        data-fallback={state.fallback !== null && state.fallback.answers > 0 && state.fallback.failure === null ? 'poll' : 'none'}>
        <Icon name={text.icon} size={13} />
        <span aria-live="polite">{text.label}</span>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className="popover" align="end" sideOffset={6} aria-label="Connection">
          <dl className="facts">
            {rows.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
