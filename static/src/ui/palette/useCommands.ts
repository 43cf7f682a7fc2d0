import { useMemo } from 'react';
import { useLocation, useNavigate } from 'react-router';
import { useMostUrgent } from '../../api/alertQueries';
import { useTopics } from '../../api/deliveryQueries';
import { useNodes } from '../../api/queries';
import { useServices } from '../../state/context';
import { useViewControls } from '../../state/view';
import { THEME_LABELS, THEMES, useTheme } from '../../theme/theme';
import { PAGES } from '../shell/pages';
import type { Command } from './ranking';

/** Everything that the palette can do at present: pages, actions, what fires, the nodes and topics that the hub knows, themes. */
export function useCommands(showKeys: () => void): readonly Command[] {
  const { session } = useServices();
  const { paused_at_ms, togglePause } = useViewControls();
  const { choice, choose } = useTheme();
  const navigate = useNavigate();
  const { search } = useLocation();
  const nodes = useNodes().data?.items;
  const topics = useTopics().data?.items;
  const alerts = useMostUrgent().data?.items;
  return useMemo((): Command[] => {
    const range = new URLSearchParams(search).get('range');
    const open = (path: string) => () => void navigate(range === null ? path : `${path}${path.includes('?') ? '&' : '?'}range=${range}`);
    return [
      ...PAGES.map((page): Command => ({ id: `page ${page.path}`, group: 'Pages', label: page.label, keys: `g ${page.key}`, run: open(page.path) })),
      { id: 'pause', group: 'Actions', label: paused_at_ms === null ? 'Pause the views' : 'Resume the views', keys: 'p', run: togglePause },
      { id: 'copy', group: 'Actions', label: 'Copy a link to this view', detail: 'address url share', run: () => void copyAddress() },
      { id: 'add', group: 'Actions', label: 'Add a node', detail: 'agent enrol', run: open('/nodes?add=1') },
      { id: 'rule', group: 'Actions', label: 'Make a rule', detail: 'new alert threshold', run: open('/rules/new') },
      { id: 'window', group: 'Actions', label: 'Suppress alerts for a time', detail: 'maintenance window silence mute', run: open('/rules?tab=suppression') },
      { id: 'resolved', group: 'Actions', label: 'Show resolved alerts', detail: 'history', run: open('/alerts?state=resolved&sort=newest') },
      { id: 'keys', group: 'Actions', label: 'Show the keys', detail: 'help shortcuts', keys: '?', run: showKeys },
      { id: 'out', group: 'Actions', label: 'Sign out', detail: 'log out', run: () => void session.logout() },
      ...(alerts ?? []).map((alert): Command => ({
        id: `alert ${alert.id}`, group: 'Alerts', label: alert.title, detail: `${alert.severity} ${alert.labels.node ?? alert.service ?? ''}`.trim(), run: open(`/alerts/${encodeURIComponent(alert.id)}`),
      })),
      ...(nodes ?? []).map((node): Command => ({ id: `node ${node.id}`, group: 'Nodes', label: node.id, detail: node.state, run: open(`/nodes/${encodeURIComponent(node.id)}`) })),
      ...(topics ?? []).map(({ topic, class: kind }): Command => ({ id: `topic ${topic}`, group: 'Topics', label: topic, detail: kind, run: open(`/streaming?topic=${encodeURIComponent(topic)}`) })),
      ...(['system', ...THEMES] as const).map((theme): Command => ({
        id: `theme ${theme}`, group: 'Theme', label: THEME_LABELS[theme], detail: theme === choice ? 'chosen' : 'colours', run: () => choose(theme),
      })),
    ];
  }, [search, paused_at_ms, togglePause, nodes, topics, alerts, choice, choose, navigate, session, showKeys]);
}

async function copyAddress(): Promise<void> {
  try {
    // On plain http away from this machine browsers offer no clipboard; the address bar has it all the same.
    await navigator.clipboard.writeText(location.href);
  } catch {
    // Nothing to do about it here.
  }
}
