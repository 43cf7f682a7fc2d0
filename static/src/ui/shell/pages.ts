import type { IconName } from '../icons';

interface Page {
  readonly path: string;
  readonly label: string;
  readonly icon: IconName;
  readonly key: string;
  /** What one of its things is called where its id says nothing to people. */
  readonly detail?: string;
}

/** The pages in the navigation; `key` follows `g` on the keyboard. */
export const PAGES: readonly Page[] = [
  { path: '/', label: 'Command Center', icon: 'command', key: 'h' },
  { path: '/alerts', label: 'Alerts', icon: 'bell', key: 'a', detail: 'Alert' },
  { path: '/rules', label: 'Rules', icon: 'rules', key: 'r', detail: 'Rule' },
  { path: '/nodes', label: 'Nodes', icon: 'nodes', key: 'n' },
  { path: '/connections', label: 'Connections', icon: 'connections', key: 'c' },
  { path: '/streaming', label: 'Data Streams', icon: 'streams', key: 's' },
  { path: '/events', label: 'Event Protocol', icon: 'frames', key: 'e' },
  { path: '/performance', label: 'Performance', icon: 'gauge', key: 'f' },
  { path: '/testing', label: 'Reliability Lab', icon: 'lab', key: 't' },
  { path: '/console', label: 'Live Console', icon: 'console', key: 'l' },
  { path: '/operations', label: 'Operations', icon: 'operations', key: 'o' },
];
