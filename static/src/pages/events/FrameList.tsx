import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useEffectEvent, useRef, type ReactNode } from 'react';
import { bytes, UNKNOWN } from '../../format/numbers';
import { clockMs, milliseconds } from '../../format/times';
import type { FrameEntry } from '../../state/frameLog';
import { Icon } from '../../ui/icons';
import { Empty } from '../../ui/Panel';
import { bytesOf, summaryOf } from './frameFilter';

const ROW_PX = 26;

interface FrameListProps {
  readonly entries: readonly FrameEntry[];
  readonly open: FrameEntry | null;
  readonly onOpen: (entry: FrameEntry | null) => void;
  /** Whether there are frames that the filter keeps back. */
  readonly filtered: boolean;
}

/** Frames, newest first; only the rows on screen exist. */
export function FrameList({ entries, open, onOpen, filtered }: FrameListProps): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: entries.length, getScrollElement: () => box.current, estimateSize: () => ROW_PX, overscan: 8, getItemKey: (index) => entries[index]?.seq ?? index,
  });
  const chosen = open === null ? -1 : entries.findIndex((entry) => entry.seq === open.seq);
  const follow = useEffectEvent(() => {
    if (chosen >= 0) rows.scrollToIndex(chosen);
  });
  useEffect(() => follow(), [open]);
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const target = targetOf(event.key, chosen, entries.length - 1, Math.floor((box.current?.clientHeight ?? 0) / ROW_PX) - 1);
    if (target === undefined) return;
    event.preventDefault();
    onOpen(target === null ? null : (entries[target] ?? null));
  };
  return (
    <div className="frames">
      <div className="frame-row frame-head" aria-hidden="true">
        <span>Time</span><span /><span>Type</span><span>Topic</span><span className="number">Size</span><span className="number">Reply</span><span>Payload</span>
      </div>
      {entries.length === 0
        ? <Empty title={filtered ? 'No frame matches the filter' : 'No frame yet'}><p>{filtered ? 'What comes and fits appears here.' : 'Frames appear as they come and go.'}</p></Empty>
        : (
          <div ref={box} className="frames-box" role="listbox" aria-label="Frames, newest first" tabIndex={0} onKeyDown={onKeyDown}
            aria-activedescendant={chosen < 0 ? undefined : `frame-${open?.seq ?? 0}`}>
            <div style={{ height: rows.getTotalSize(), position: 'relative' }} role="presentation">
              {rows.getVirtualItems().map((row) => {
                const entry = entries[row.index];
                return entry !== undefined && (
                  <FrameRow key={row.key} entry={entry} top_px={row.start} position={row.index + 1} total={entries.length}
                    chosen={entry.seq === open?.seq} onOpen={(opened) => {
                      onOpen(opened);
                      // The arrow keys are the list's.
                      box.current?.focus();
                    }} />
                );
              })}
            </div>
          </div>
        )}
    </div>
  );
}

interface FrameRowProps {
  readonly entry: FrameEntry;
  readonly top_px: number;
  readonly position: number;
  readonly total: number;
  readonly chosen: boolean;
  readonly onOpen: (entry: FrameEntry) => void;
}

function FrameRow({ entry, top_px, position, total, chosen, onOpen }: FrameRowProps): ReactNode {
  return (
    // Keys are the list's, as the role of a list box wants it.
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events
    <div id={`frame-${entry.seq}`} className="frame-row" role="option" tabIndex={-1} aria-selected={chosen} aria-posinset={position} aria-setsize={total}
      style={{ transform: `translateY(${top_px}px)` }} data-frame={entry.type} data-direction={entry.direction} onClick={() => onOpen(entry)}>
      <span className="muted">{clockMs(entry.at_ms)}</span>
      <span className={`frame-direction ${entry.direction}`} title={entry.direction === 'in' ? 'from the hub' : 'to the hub'}>
        <Icon name={entry.direction === 'in' ? 'down' : 'up'} size={12} /><span className="visually-hidden">{entry.direction}</span>
      </span>
      <span className={entry.type === 'error' || entry.type === 'unreadable' ? 'frame-type tone-bad' : 'frame-type'}>
        {entry.type}{entry.messages !== null && entry.messages > 1 ? ` ×${entry.messages}` : ''}
      </span>
      <span className="mono" title={entry.topic ?? undefined}>{entry.topic ?? ''}</span>
      <span className="number">{bytes(bytesOf(entry.raw))}</span>
      <span className="number">{entry.latency_ms === null ? '' : milliseconds(entry.latency_ms)}</span>
      <code className="muted">{summaryOf(entry) || UNKNOWN}</code>
    </div>
  );
}

/** The row that a key goes to; `null` closes the open one, `undefined`: the key means nothing here. */
function targetOf(key: string, chosen: number, last: number, page: number): number | null | undefined {
  switch (key) {
    case 'ArrowDown': return Math.min(last, chosen + 1);
    case 'ArrowUp': return Math.max(0, chosen - 1);
    case 'PageDown': return Math.min(last, Math.max(0, chosen) + page);
    case 'PageUp': return Math.max(0, chosen - page);
    case 'Home': return 0;
    case 'End': return last;
    case 'Enter': return Math.max(0, chosen);
    case 'Escape': return null;
    default: return undefined;
  }
}
