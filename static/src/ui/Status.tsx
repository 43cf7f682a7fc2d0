import type { ReactNode } from 'react';
import type { AlertState } from '../api/alerts';
import type { Severity } from '../api/delivery';
import type { RulePhase } from '../api/rules';
import type { HealthStatus, NodeState, SupervisedKind } from '../api/types';
import type { RunStatus } from '../api/testing';
import { Icon, type IconName } from './icons';

export type Tone = 'ok' | 'warn' | 'bad' | 'info' | 'none';

const STATUSES: Readonly<Record<string, { tone: Tone; icon: IconName }>> = {
  online: { tone: 'ok', icon: 'check' },
  late: { tone: 'warn', icon: 'clock' },
  offline: { tone: 'bad', icon: 'cross' },
  enrolling: { tone: 'info', icon: 'dots' },
  retired: { tone: 'none', icon: 'minus' },
  healthy: { tone: 'ok', icon: 'check' },
  degraded: { tone: 'warn', icon: 'warning' },
  unhealthy: { tone: 'bad', icon: 'cross' },
  running: { tone: 'ok', icon: 'check' },
  restarting: { tone: 'warn', icon: 'clock' },
  failed: { tone: 'bad', icon: 'cross' },
  completed: { tone: 'ok', icon: 'check' },
  cancelled: { tone: 'none', icon: 'minus' },
  active: { tone: 'warn', icon: 'warning' },
  idle: { tone: 'none', icon: 'minus' },
  connected: { tone: 'ok', icon: 'check' },
  disconnected: { tone: 'none', icon: 'minus' },
  closed: { tone: 'ok', icon: 'check' },
  'half open': { tone: 'warn', icon: 'clock' },
  open: { tone: 'bad', icon: 'cross' },
  ok: { tone: 'ok', icon: 'check' },
  pending: { tone: 'warn', icon: 'clock' },
  firing: { tone: 'bad', icon: 'bell' },
  acknowledged: { tone: 'info', icon: 'user' },
  suppressed: { tone: 'none', icon: 'mute' },
  resolved: { tone: 'ok', icon: 'check' },
  disabled: { tone: 'none', icon: 'pause' },
  critical: { tone: 'bad', icon: 'warning' },
  error: { tone: 'bad', icon: 'cross' },
  warning: { tone: 'warn', icon: 'warning' },
  info: { tone: 'info', icon: 'help' },
};

type Word = NodeState | HealthStatus | SupervisedKind['state'] | Severity | 'connected' | 'disconnected' | 'closed' | 'half open' | 'open'
  | RunStatus | 'active' | AlertState | RulePhase | 'disabled';

/** A state as icon and word: colour only repeats what they say. */
export function Status({ word }: { readonly word: Word | null | undefined }): ReactNode {
  const status = word ? STATUSES[word] : undefined;
  return (
    <span className={`status tone-${status?.tone ?? 'none'}`}>
      <Icon name={status?.icon ?? 'minus'} size={13} />
      {word ?? 'unknown'}
    </span>
  );
}
