import { isObject, number, parseFrame, text, type Frame } from '../wire/envelope';
import type { Wiretap } from '../wire/hubSocket';

/** One frame as it went over the wire. Times are the browser's clock, in Unix milliseconds. */
export interface FrameEntry {
  readonly seq: number;
  readonly at_ms: number;
  readonly direction: 'in' | 'out';
  /** The type, or `unreadable` for text that is no frame. */
  readonly type: string;
  readonly topic: string | null;
  readonly id: string;
  readonly reply_to: string | null;
  /** Messages in it; `null` for frames that carry none. */
  readonly messages: number | null;
  readonly raw: string;
  /** From a request to its reply; on both of them. */
  latency_ms: number | null;
}

export const FRAMES_BOUND = 2_000;
export const CHARS_BOUND = 8 * 1024 * 1024;

/** The newest frames in both directions, bounded by number and size. Writing is cheap: views look when they draw. */
export class FrameLog {
  private entries: FrameEntry[] = [];
  private chars = 0;
  private next_seq = 1;
  private readonly asked = new Map<string, FrameEntry>();
  private readonly watchers = new Set<() => void>();
  private totals = { in: 0, out: 0, in_chars: 0, out_chars: 0 };

  constructor(private readonly now: () => number = () => performance.timeOrigin + performance.now()) {}

  watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  /** Frames and characters by direction since the page was opened. */
  get counts(): Readonly<{ in: number; out: number; in_chars: number; out_chars: number }> {
    return this.totals;
  }

  /** Number of the newest frame; it grows by one with each. */
  get newest(): number {
    return this.next_seq - 1;
  }

  /** All that is kept, oldest first. */
  list(): readonly FrameEntry[] {
    return this.entries.slice();
  }

  clear(): void {
    this.entries = [];
    this.chars = 0;
    this.asked.clear();
    this.tell();
  }

  record = (tap: Wiretap): void => {
    const entry = this.entryOf(tap);
    this.next_seq += 1;
    this.entries.push(entry);
    this.chars += entry.raw.length;
    this.totals[tap.direction] += 1;
    this.totals[`${tap.direction}_chars`] += entry.raw.length;
    if (entry.direction === 'out') {
      if (entry.id !== '') this.asked.set(entry.id, entry);
    } else if (entry.reply_to !== null) this.answered(entry, entry.reply_to);
    this.trim();
    this.tell();
  };

  private entryOf(tap: Wiretap): FrameEntry {
    const frame = tap.direction === 'in' ? tap.frame : parseFrame(tap.raw);
    return {
      seq: this.next_seq,
      at_ms: this.now(),
      direction: tap.direction,
      type: frame?.type ?? 'unreadable',
      topic: frame === null ? null : topicOf(frame),
      id: frame?.id ?? '',
      reply_to: frame === null ? null : text(frame.metadata.reply_to),
      messages: frame === null ? null : messageCount(frame),
      raw: tap.raw,
      latency_ms: null,
    };
  }

  private answered(reply: FrameEntry, id: string): void {
    const request = this.asked.get(id);
    if (request === undefined) return;
    this.asked.delete(id);
    request.latency_ms = reply.at_ms - request.at_ms;
    reply.latency_ms = request.latency_ms;
  }

  private trim(): void {
    let gone = 0;
    while (this.entries.length - gone > FRAMES_BOUND || (this.chars > CHARS_BOUND && this.entries.length - gone > 1)) {
      const oldest = this.entries[gone];
      if (oldest === undefined) break;
      gone += 1;
      this.chars -= oldest.raw.length;
      if (oldest.direction === 'out') this.asked.delete(oldest.id);
    }
    if (gone > 0) this.entries.splice(0, gone);
  }

  private tell(): void {
    for (const watcher of this.watchers) watcher();
  }
}

/** The topic that a frame is about: of its metadata, else the one that its payload names, if it is one alone. */
function topicOf(frame: Frame): string | null {
  const own = text(frame.metadata.topic);
  if (own !== null || !isObject(frame.payload)) return own;
  const { payload } = frame;
  const named = text(payload.topic);
  if (named !== null) return named;
  const room = text(payload.room);
  if (room !== null) return `room:${room}`;
  const doc = text(payload.doc);
  if (doc !== null) return `sync:${doc}`;
  if (!Array.isArray(payload.topics)) return null;
  const names = payload.topics.map((topic) => (isObject(topic) ? text(topic.topic) : text(topic))).filter((name) => name !== null);
  return names.length === 0 ? null : names.join(', ');
}

function messageCount(frame: Frame): number | null {
  if (frame.type === 'batch') {
    return number(frame.metadata.count) ?? (isObject(frame.payload) && Array.isArray(frame.payload.items) ? frame.payload.items.length : null);
  }
  return frame.metadata.offset === undefined ? null : 1;
}
