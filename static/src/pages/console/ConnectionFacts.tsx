import type { ReactNode } from 'react';
import { count, UNKNOWN } from '../../format/numbers';
import { duration, milliseconds } from '../../format/times';
import { useConnection, useServices } from '../../state/context';
import { useNow } from '../../state/ticker';
import { Facts } from '../../ui/Facts';
import { Icon } from '../../ui/icons';
import { Panel } from '../../ui/Panel';
import { connectionText } from '../../ui/shell/connectionText';
import { FLOW_HOLDS_MS } from '../../wire/pacer';

/** Session, recovery and flow of this page's connection. */
export function ConnectionFacts(): ReactNode {
  const { socket } = useServices();
  const state = useConnection();
  const now_ms = useNow();
  const text = connectionText(state, now_ms);
  const tally = socket.tally();
  const { recovery, flow, fallback, hello } = state;
  const flow_text = flow === null || now_ms - flow.at_ms > FLOW_HOLDS_MS
    ? 'as fast as you like'
    : `${flow.max_rate_hz === null ? 'paused' : `at most ${flow.max_rate_hz} a second`}: ${flow.reason}`;
  const recovered = recovery === null ? 'no reconnect yet'
    : `${recovery.recovered} of ${recovery.topics} topics, ${count(recovery.messages)} messages in ${milliseconds(recovery.took_ms)}`;
  return (
    <Panel title="Connection" actions={<span className={`status tone-${text.tone}`}><Icon name={text.icon} size={13} />{text.label}</span>}>
      <div className="facts-two">
        <Facts rows={[
          ['In this state for', duration((now_ms - state.since_ms) / 1000)],
          ['Last frame', state.last_frame_at_ms === null ? UNKNOWN : `${duration((now_ms - state.last_frame_at_ms) / 1000)} ago`],
          ['Round trip', milliseconds(state.round_trip_ms)],
          ['Clock of the hub', `${state.clock_skew_ms >= 0 ? '+' : ''}${Math.round(state.clock_skew_ms)} ms`],
          ['Session', hello === null ? UNKNOWN : hello.resumed ? 'resumed' : 'new'],
          ['Reconnects', count(state.reconnects)],
        ]} />
        <Facts rows={[
          ['Messages', count(tally.received)],
          ['Gaps', <strong key="gaps" className={tally.gaps > 0 ? 'tone-bad' : undefined} data-gaps={tally.gaps}>{count(tally.gaps)}</strong>],
          ['Duplicates dropped', count(tally.duplicates)],
          ['Left out by the hub', count(tally.declared)],
          ['Last recovery', <span key="recovery" data-recovered={recovery?.recovered ?? -1}>{recovered}</span>],
          ['Publishing', flow_text],
        ]} />
      </div>
      {fallback !== null && (
        <p className="muted polling-note" data-polling>
          Polling for {duration((now_ms - fallback.since_ms) / 1000)}: {count(fallback.answers)} answers, {count(fallback.messages)} messages
          {fallback.failure === null ? '' : `; the last one failed: ${fallback.failure}`}
        </p>
      )}
    </Panel>
  );
}
