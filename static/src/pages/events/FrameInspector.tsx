import { useMemo, useState, type ReactNode } from 'react';
import { bytes, count } from '../../format/numbers';
import { useServices } from '../../state/context';
import type { FrameEntry } from '../../state/frameLog';
import { useNow } from '../../state/ticker';
import { useFrames } from '../../state/useFrames';
import { useParameter, usePaused } from '../../state/view';
import { Icon } from '../../ui/icons';
import { Panel } from '../../ui/Panel';
import { SearchBox } from '../../ui/SearchBox';
import { Segments } from '../../ui/Segments';
import { FrameDetail } from './FrameDetail';
import { filterFrames, typesOf } from './frameFilter';
import { FrameList } from './FrameList';

const DIRECTIONS = [['all', 'both ways'], ['in', 'in'], ['out', 'out']] as const;

/** Every frame of this page's connection; a frame that is opened holds the list still. */
export function FrameInspector(): ReactNode {
  const { frames } = useServices();
  const paused = usePaused();
  const [held, setHeld] = useState(false);
  const [open, setOpen] = useState<FrameEntry | null>(null);
  const [direction, setDirection] = useParameter('direction');
  const [type, setType] = useParameter('type');
  const [topic, setTopic] = useParameter('about');
  const [text] = useParameter('q');
  const { entries, newest } = useFrames(held);
  const shown = useMemo(
    () => filterFrames(entries, { direction: direction === 'in' || direction === 'out' ? direction : 'all', type: type ?? '', topic: topic ?? '', text: text ?? '' }),
    [entries, direction, type, topic, text],
  );
  const types = useMemo(() => typesOf(entries), [entries]);
  const since = newest - (entries.at(-1)?.seq ?? newest);
  const choose = (entry: FrameEntry | null): void => {
    setOpen(entry);
    if (entry !== null) setHeld(true);
  };
  return (
    <Panel title="Frames" count={shown.length} flush actions={<Rates />}>
      <div className="inspector-bar">
        <button type="button" className={held ? 'primary' : ''} aria-pressed={held} onClick={() => setHeld(!held)}>
          <Icon name={held ? 'play' : 'pause'} size={14} />{held ? 'Resume' : 'Hold'}
        </button>
        <Segments label="Direction" value={direction === 'in' || direction === 'out' ? direction : 'all'} choices={DIRECTIONS}
          onChoose={(value) => setDirection(value === 'all' ? null : value)} />
        <select aria-label="Type of frame" value={type ?? ''} onChange={(event) => setType(event.target.value)}>
          <option value="">every type</option>
          {(type === null || types.includes(type) ? types : [...types, type]).map((name) => <option key={name} value={name}>{name}</option>)}
        </select>
        <input aria-label="Topic" placeholder="Topic" value={topic ?? ''} spellCheck={false} className="inspector-topic" onChange={(event) => setTopic(event.target.value)} />
        <SearchBox parameter="q" label="Text in the frame" />
        <button type="button" onClick={() => {
          frames.clear();
          setOpen(null);
          setHeld(false);
        }}>Clear</button>
        {(held || paused) && <span className="tone-info inspector-held" role="status" data-held={since}>Held{since > 0 ? `, ${count(since)} newer` : ''}</span>}
      </div>
      <div className={open === null ? 'inspector' : 'inspector with-detail'}>
        <FrameList entries={shown} open={open} onOpen={choose} filtered={entries.length > 0} />
        {open !== null && <FrameDetail entry={open} onClose={() => choose(null)} />}
      </div>
    </Panel>
  );
}

/** How much goes over the wire; counted here, over the time since the page was opened. */
function Rates(): ReactNode {
  const { frames } = useServices();
  useNow();
  const counts = frames.counts;
  return (
    <span className="muted inspector-rates">
      <span><Icon name="down" size={12} /> {count(counts.in)} in, {bytes(counts.in_chars)}</span>
      <span><Icon name="up" size={12} /> {count(counts.out)} out, {bytes(counts.out_chars)}</span>
    </span>
  );
}
