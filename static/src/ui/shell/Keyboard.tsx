import * as Dialog from '@radix-ui/react-dialog';
import { useCallback, useEffect, useEffectEvent, useRef, useState, type ReactNode } from 'react';
import { useNavigate } from 'react-router';
import { useViewControls } from '../../state/view';
import { Palette } from '../palette/Palette';
import { Icon } from '../icons';
import { isTyping } from './pageKeys';
import { PAGES } from './pages';

const CHORD_MS = 1_200;

interface KeyboardProps {
  readonly palette_open: boolean;
  readonly setPaletteOpen: (open: boolean) => void;
}

/** Keys that work on every page, and the dialog that lists them. */
export function Keyboard({ palette_open, setPaletteOpen }: KeyboardProps): ReactNode {
  const [open, setOpen] = useState(false);
  const showKeys = useCallback(() => setOpen(true), []);
  const { togglePause } = useViewControls();
  const navigate = useNavigate();
  const chord_at_ms = useRef(0);
  const onKey = useEffectEvent((event: KeyboardEvent) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === 'k') {
      // The browser's own meaning of these keys is its search.
      event.preventDefault();
      setPaletteOpen(!palette_open);
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const in_chord = performance.now() - chord_at_ms.current < CHORD_MS;
    chord_at_ms.current = 0;
    const page = in_chord ? PAGES.find((candidate) => candidate.key === event.key) : undefined;
    if (page !== undefined) {
      // The keys of the page that is left mean nothing now.
      event.preventDefault();
      void navigate(page.path);
    } else if (event.key === 'g') chord_at_ms.current = performance.now();
    else if (event.key === '?') setOpen(true);
    else if (event.key === 'p') togglePause();
    else if (event.key === '/') {
      const search = document.querySelector<HTMLInputElement>('main input[type="search"]');
      if (search === null) return;
      event.preventDefault();
      search.focus();
    }
  });
  useEffect(() => {
    const listener = (event: KeyboardEvent): void => onKey(event);
    document.addEventListener('keydown', listener);
    return () => document.removeEventListener('keydown', listener);
  }, []);
  const keys: [string, string][] = [
    ['Ctrl K', 'Search pages, nodes, topics and actions'],
    ['?', 'Show these keys'],
    ['/', 'Go to the filter of the page'],
    ['p', 'Pause or resume the views'],
    ...PAGES.map((page): [string, string] => [`g ${page.key}`, page.label]),
    ['j k', 'Alerts: the next, the one before; Enter opens it'],
    ['x', 'Alerts: select, or not any more'],
    ['a r', 'Alerts: acknowledge, resolve what is selected or marked'],
    ['← →', 'Move along a chart that has the focus; Home, End, Page Up, Page Down, Esc'],
  ];
  return (
    <>
      <button type="button" className="quiet small palette-open" onClick={() => setPaletteOpen(true)}><Icon name="search" size={13} />Search <kbd>Ctrl K</kbd></button>
      <Palette open={palette_open} onOpenChange={setPaletteOpen} showKeys={showKeys} />
      <Dialog.Root open={open} onOpenChange={setOpen}>
        <Dialog.Trigger className="quiet small">Keys <kbd>?</kbd></Dialog.Trigger>
        <Dialog.Portal>
          <Dialog.Overlay className="overlay" />
          <Dialog.Content className="dialog" aria-describedby={undefined}>
            <Dialog.Title>Keys</Dialog.Title>
            <dl className="facts keys">
              {keys.map(([key, meaning]) => (
                <div key={key}>
                  <dt><kbd>{key}</kbd></dt>
                  <dd>{meaning}</dd>
                </div>
              ))}
            </dl>
            <div className="dialog-actions"><Dialog.Close className="primary">Close</Dialog.Close></div>
          </Dialog.Content>
        </Dialog.Portal>
      </Dialog.Root>
    </>
  );
}
