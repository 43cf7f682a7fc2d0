import type { ConnectionState, Phase } from '../wire/connectionState';

/** `polling` is `offline` with values that come over HTTP. */
export type Stretch = Phase | 'polling';

/** A stretch of time in which the connection stayed in one state. Times are the browser's clock. */
export interface Moment {
  readonly seq: number;
  readonly state: Stretch;
  readonly at_ms: number;
  /** Attempts to connect that failed within it. */
  attempts: number;
  reason: string | null;
}

/** Stretches that are kept; beyond, the oldest is forgotten. */
export const MOMENTS_BOUND = 200;

const JUST_NOW_MS = 100;

/** What the connection went through since the page was opened. */
export class Timeline {
  private moments: readonly Moment[] = [];
  private seq = 0;
  private readonly watchers = new Set<() => void>();

  watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  /** Oldest first; the last one is going on. */
  list = (): readonly Moment[] => this.moments;

  /** Takes note of the state, which may be what it was. */
  note(state: ConnectionState, now_ms: number): void {
    const last = this.moments.at(-1);
    const stretch = stretchOf(state, last);
    const reason = reasonOf(state, stretch);
    const away = stretch === 'offline' || stretch === 'polling';
    if (last?.state !== stretch) {
      this.moments = [...this.moments, { seq: ++this.seq, state: stretch, at_ms: now_ms, attempts: 0, reason }].slice(-MOMENTS_BOUND);
    } else if ((reason !== null && reason !== last.reason) || (away && state.attempt > last.attempts + 1)) {
      // The one that goes on is replaced, so that views see that it is another.
      const attempts = away ? Math.max(last.attempts, state.attempt - 1) : 0;
      this.moments = [...this.moments.slice(0, -1), { ...last, reason: reason ?? last.reason, attempts }];
    } else return;
    for (const watcher of this.watchers) watcher();
  }
}

/** The attempts between two waits last moments: they are part of being offline. */
function stretchOf(state: ConnectionState, last: Moment | undefined): Stretch {
  const is_away = state.phase === 'offline' || (state.phase === 'connecting' && (last?.state === 'offline' || last?.state === 'polling'));
  if (!is_away) return state.phase;
  const polls = state.fallback !== null && state.fallback.answers > 0 && state.fallback.failure === null;
  return polls ? 'polling' : 'offline';
}

function reasonOf(state: ConnectionState, stretch: Stretch): string | null {
  switch (stretch) {
    case 'degraded':
      return state.degraded_subsystems.join(', ');
    case 'live':
      return recoveryText(state);
    case 'polling':
      return `${state.reason ?? 'No socket'}; values come over HTTP`;
    default:
      return state.reason;
  }
}

/** What the reconnect brought back, for the stretch that follows it. */
function recoveryText(state: ConnectionState): string | null {
  const { recovery } = state;
  if (recovery === null || recovery.topics === 0) return null;
  // A stretch that begins later, after something was degraded, is not about the reconnect.
  if (recovery.at_ms + (recovery.took_ms ?? 0) < state.since_ms - JUST_NOW_MS) return null;
  const lost = recovery.lost.length === 0 ? '' : `; snapshot read for ${recovery.lost.join(', ')}`;
  return `${recovery.recovered} of ${recovery.topics} topics recovered, ${recovery.messages} messages${lost}`;
}
