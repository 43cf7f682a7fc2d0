import { useState, type ReactNode } from 'react';
import { bytes, count, UNKNOWN } from '../../format/numbers';
import { clockMs, milliseconds } from '../../format/times';
import type { FrameEntry } from '../../state/frameLog';
import { CopyButton } from '../../ui/CopyButton';
import { Facts } from '../../ui/Facts';
import { JsonText } from '../../ui/JsonText';
import { bytesOf } from './frameFilter';

/** One frame with everything in it. */
export function FrameDetail({ entry, onClose }: { readonly entry: FrameEntry; readonly onClose: () => void }): ReactNode {
  const [is_raw, setRaw] = useState(false);
  return (
    <section className="frame-detail" aria-label={`Frame ${entry.type}`} data-detail={entry.type}>
      <header>
        <h3>{entry.type}</h3>
        <span className="muted">{entry.direction === 'in' ? 'from the hub' : 'to the hub'}</span>
        <div className="panel-actions">
          <button type="button" className="small" aria-pressed={is_raw} onClick={() => setRaw(!is_raw)}>{is_raw ? 'Pretty' : 'As sent'}</button>
          <CopyButton text={entry.raw} label="Copy the frame" />
          <button type="button" className="small" onClick={onClose}>Close</button>
        </div>
      </header>
      <Facts rows={[
        ['Time', clockMs(entry.at_ms)],
        ['Topic', entry.topic ?? UNKNOWN],
        ['Size', `${bytes(bytesOf(entry.raw))} before compression`],
        ['Messages', count(entry.messages)],
        [entry.direction === 'out' ? 'Answered after' : 'Reply after', milliseconds(entry.latency_ms)],
        ['Id', <span key="id" className="mono">{entry.id === '' ? UNKNOWN : entry.id}</span>],
      ]} />
      {is_raw
        // A box that scrolls has to be reachable by keyboard.
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        ? <pre className="json" tabIndex={0} aria-label="The frame as it was sent">{entry.raw}</pre>
        : <JsonText raw={entry.raw} label="The frame" />}
    </section>
  );
}
