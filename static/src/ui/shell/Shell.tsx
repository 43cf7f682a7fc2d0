import * as Dialog from '@radix-ui/react-dialog';
import { Suspense, useEffect, useState, type ReactNode } from 'react';
import { Outlet, useLocation } from 'react-router';
import { useConnection } from '../../state/context';
import { useViewControls } from '../../state/view';
import { Icon, Logo } from '../icons';
import { ErrorBoundary } from '../ErrorBoundary';
import { AlertBell } from './AlertBell';
import { ConnectionPill } from './ConnectionPill';
import { Keyboard } from './Keyboard';
import { RangeMenu, UserMenu } from './Menus';
import { Navigation } from './Navigation';
import { Notice } from './Notice';
import { PAGES } from './pages';

interface PaletteState {
  readonly palette_open: boolean;
  readonly setPaletteOpen: (open: boolean) => void;
}

interface ShellProps {
  readonly subject: string;
  readonly role: string;
}

/** The frame around every page. */
export function Shell({ subject, role }: ShellProps): ReactNode {
  const location = useLocation();
  const page = PAGES.find((candidate) => candidate.path === `/${location.pathname.split('/')[1] ?? ''}`);
  const { paused_at_ms, togglePause } = useViewControls();
  const [palette_open, setPaletteOpen] = useState(false);
  const has_range = /^\/($|nodes\/.|streaming|performance)/.test(location.pathname);
  const detail = decoded(location.pathname.split('/')[2] ?? '');
  const title = detail === '' ? (page?.label ?? 'Not found') : (page?.detail ?? detail);
  useEffect(() => {
    document.title = `${title} · InfraWatch`;
  }, [title]);
  return (
    <div className="shell">
      <a className="skip" href="#main">Skip to the content</a>
      <aside className="rail">
        <div className="brand"><Logo /><span>InfraWatch</span></div>
        <Navigation />
        <RailFoot palette_open={palette_open} setPaletteOpen={setPaletteOpen} />
      </aside>
      <header className="topbar">
        <Drawer />
        <h1>{title}</h1>
        <div className="topbar-controls">
          <button type="button" className="control palette-narrow" aria-label="Search pages, nodes, topics and actions" onClick={() => setPaletteOpen(true)}>
            <Icon name="search" size={14} />
          </button>
          {has_range && <RangeMenu />}
          <button type="button" className="control" data-paused={paused_at_ms !== null} onClick={togglePause}
            aria-label={paused_at_ms === null ? 'Pause auto-refresh' : 'Resume auto-refresh'}>
            <Icon name={paused_at_ms === null ? 'pause' : 'play'} size={14} />
            <span className="wide-only">{paused_at_ms === null ? 'Pause' : 'Resume'}</span>
          </button>
          <AlertBell />
          <ConnectionPill />
          <UserMenu subject={subject} role={role} />
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        <Notice />
        <ErrorBoundary key={location.pathname}>
          <Suspense fallback={<div className="skeleton" role="status" aria-label="Loading"><span /><span /><span /></div>}>
            <Outlet />
          </Suspense>
        </ErrorBoundary>
      </main>
    </div>
  );
}

/** A part of the path as text; one that is no valid encoding stays as it is. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Which hub this is, and the keys. */
function RailFoot(palette: PaletteState): ReactNode {
  const hello = useConnection().hello;
  return (
    <div className="rail-foot">
      <Keyboard {...palette} />
      {hello !== null && <p className="muted" title="Hub">{hello.hub_node} {hello.hub_version}</p>}
    </div>
  );
}

/** The navigation where there is no room for it beside the page. */
function Drawer(): ReactNode {
  const [open, setOpen] = useState(false);
  return (
    <Dialog.Root open={open} onOpenChange={setOpen}>
      <Dialog.Trigger className="control drawer-trigger" aria-label="Pages"><Icon name="menu" size={18} /></Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content className="drawer" aria-describedby={undefined}>
          <Dialog.Title className="brand"><Logo /><span>InfraWatch</span></Dialog.Title>
          <Navigation onNavigate={() => setOpen(false)} />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
