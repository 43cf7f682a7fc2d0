import { useEffect, useId, useRef, useState, type KeyboardEvent, type PointerEvent, type ReactNode } from 'react';
import './palette.css';
import { Icon } from '../icons';
import { ranked, type Command } from './ranking';
import { useCommands } from './useCommands';

interface PaletteListProps {
  readonly close: () => void;
  readonly showKeys: () => void;
}

const PAGE_STEP = 8;

/** A text box and the list that it filters: arrow keys choose, Enter does, and the focus stays in the box. */
export default function PaletteList({ close, showKeys }: PaletteListProps): ReactNode {
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  const list_id = useId();
  const list = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLInputElement>(null);
  // The dialog looked for something to focus before this was loaded.
  useEffect(() => {
    box.current?.focus();
  }, []);
  const shown = ranked(useCommands(showKeys), text);
  const active = Math.min(chosen, shown.length - 1);
  useEffect(() => {
    // What this returns is a promise in newer browsers, which is no clean-up.
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' });
  }, [active, text]);
  const run = (command: Command | undefined): void => {
    if (command === undefined) return;
    close();
    command.run();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const next = targetOf(event.key, active, shown.length);
    if (event.key === 'Enter') run(shown[active]);
    else if (next !== null) setChosen(next);
    else return;
    event.preventDefault();
  };
  const groups = [...new Set(shown.map((command) => command.group))];
  return (
    <>
      <div className="palette-search">
        <Icon name="search" />
        <input ref={box} type="text" role="combobox" aria-label="Search pages, nodes, topics and actions" placeholder="Search pages, nodes, topics and actions"
          aria-expanded="true" aria-controls={list_id} aria-autocomplete="list" aria-activedescendant={shown.length === 0 ? undefined : `${list_id}-${active}`}
          autoComplete="off" spellCheck={false} value={text} onKeyDown={onKeyDown}
          onChange={(event) => {
            setText(event.target.value);
            setChosen(0);
          }} />
      </div>
      <div ref={list} id={list_id} className="palette-list" role="listbox" aria-label="Found">
        {groups.map((group) => (
          <div key={group} role="group" aria-label={group}>
            <p className="menu-label" aria-hidden="true">{group}</p>
            {shown.map((command, index) => command.group === group && (
              // The box has the focus and the keys; the list is for the pointer.
              // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus
              <div key={command.id} id={`${list_id}-${index}`} role="option" aria-selected={index === active} className="palette-item" data-command={command.id}
                onClick={() => run(command)} onPointerMove={(event) => moved(event) && setChosen(index)}>
                <span className="palette-label">{command.label}</span>
                {group === 'Nodes' || group === 'Topics' || group === 'Alerts' ? <span className="muted">{command.detail}</span> : null}
                {command.keys !== undefined && <kbd>{command.keys}</kbd>}
              </div>
            ))}
          </div>
        ))}
        {shown.length === 0 && <p className="muted palette-none">Nothing is called that.</p>}
      </div>
      <p className="visually-hidden" role="status">{shown.length === 0 ? 'Nothing found' : `${shown.length} found`}</p>
    </>
  );
}

/** Whether the pointer moved, rather than the list under it. */
function moved({ movementX, movementY }: PointerEvent): boolean {
  return movementX !== 0 || movementY !== 0;
}

function targetOf(key: string, here: number, size: number): number | null {
  if (size === 0) return null;
  switch (key) {
    case 'ArrowDown': return (here + 1) % size;
    case 'ArrowUp': return (here - 1 + size) % size;
    case 'PageDown': return Math.min(size - 1, here + PAGE_STEP);
    case 'PageUp': return Math.max(0, here - PAGE_STEP);
    default: return null;
  }
}
