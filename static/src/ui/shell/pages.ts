import type { IconName } from '../icons';

/** The pages in the navigation; `key` follows `g` on the keyboard. */
export const PAGES: readonly { path: string; label: string; icon: IconName; key: string }[] = [
  { path: '/', label: 'Command Center', icon: 'command', key: 'h' },
  { path: '/nodes', label: 'Nodes', icon: 'nodes', key: 'n' },
  { path: '/connections', label: 'Connections', icon: 'connections', key: 'c' },
  { path: '/streaming', label: 'Data Streams', icon: 'streams', key: 's' },
  { path: '/events', label: 'Event Protocol', icon: 'frames', key: 'e' },
  { path: '/performance', label: 'Performance', icon: 'gauge', key: 'f' },
  { path: '/testing', label: 'Reliability Lab', icon: 'lab', key: 't' },
  { path: '/console', label: 'Live Console', icon: 'console', key: 'l' },
  { path: '/operations', label: 'Operations', icon: 'operations', key: 'o' },
];
