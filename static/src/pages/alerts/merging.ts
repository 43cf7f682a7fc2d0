import type { OpenedAlert } from '../../api/alerts';
import type { LiveAlert } from '../../state/alertStore';
import { inOrder, passes, type AlertFilter } from './alertFilter';

export interface Row {
  readonly alert: OpenedAlert;
  /** The filter does not let it through any more: it stays for a moment, so that it does not vanish under somebody's hand. */
  readonly is_leaving: boolean;
}

/** How long a row that changed out of the filter stays. */
export const LEAVE_MS = 6_000;

interface Merged {
  /** As the hub listed them. */
  readonly listed: readonly OpenedAlert[];
  readonly live: ReadonlyMap<string, LiveAlert>;
  readonly filter: AlertFilter;
  /** Whether the hub has more behind the last one that it listed. */
  readonly has_more: boolean;
  /** The browser's clock. */
  readonly now_ms: number;
  /** Hub clock minus browser clock. */
  readonly skew_ms: number;
}

/** The list with what was heard of since: each alert in its newest version, new ones in their places. */
export function merged({ listed, live, filter, has_more, now_ms, skew_ms }: Merged): Row[] {
  const rows = new Map<string, Row>();
  for (const alert of listed) {
    const heard = live.get(alert.id);
    // A version that is equal was read later: its count and value are newer.
    if (heard === undefined || heard.alert.version <= alert.version) rows.set(alert.id, { alert, is_leaving: false });
    else if (passes(filter, heard.alert, now_ms + skew_ms)) rows.set(alert.id, { alert: heard.alert, is_leaving: false });
    else if (now_ms - heard.heard_at_ms < LEAVE_MS) rows.set(alert.id, { alert: heard.alert, is_leaving: true });
  }
  const last = has_more ? listed.at(-1) : undefined;
  for (const { alert } of live.values()) {
    if (rows.has(alert.id) || !passes(filter, alert, now_ms + skew_ms)) continue;
    // What belongs behind the end of the page comes with the next one.
    if (last !== undefined && inOrder([alert, last], filter.sort)[0] === last) continue;
    rows.set(alert.id, { alert, is_leaving: false });
  }
  return inOrder([...rows.values()].map((row) => row.alert), filter.sort).flatMap((alert) => rows.get(alert.id) ?? []);
}

/** One alert in its newest version. */
export function newer(read: OpenedAlert, heard: LiveAlert | undefined): OpenedAlert {
  return heard !== undefined && heard.alert.version > read.version ? heard.alert : read;
}
