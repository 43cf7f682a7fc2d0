import type { FrameEntry } from '../../state/frameLog';

export interface FrameFilter {
  readonly direction: 'all' | 'in' | 'out';
  readonly type: string;
  readonly topic: string;
  /** Every word has to occur somewhere in the frame. */
  readonly text: string;
}

/** The frames that the filter lets through, newest first. */
export function filterFrames(entries: readonly FrameEntry[], filter: FrameFilter): FrameEntry[] {
  const words = filter.text.toLowerCase().split(/\s+/).filter((word) => word !== '');
  const topic = filter.topic.toLowerCase();
  const shown: FrameEntry[] = [];
  for (let index = entries.length - 1; index >= 0; index -= 1) {
    const entry = entries[index];
    if (entry === undefined) continue;
    if (filter.direction !== 'all' && entry.direction !== filter.direction) continue;
    if (filter.type !== '' && entry.type !== filter.type) continue;
    if (topic !== '' && !(entry.topic ?? '').toLowerCase().includes(topic)) continue;
    if (words.length > 0) {
      const raw = entry.raw.toLowerCase();
      if (!words.every((word) => raw.includes(word))) continue;
    }
    shown.push(entry);
  }
  return shown;
}

/** Types that occur, by name. */
export function typesOf(entries: readonly FrameEntry[]): string[] {
  return [...new Set(entries.map((entry) => entry.type))].sort();
}

/** What a frame says, in one line: its payload if it is one, else its text. */
export function summaryOf(entry: FrameEntry): string {
  // The envelope comes before the payload; a long frame is cut on screen anyway.
  const start = entry.raw.indexOf('"payload":');
  return (start < 0 ? entry.raw : entry.raw.slice(start + 10)).slice(0, 240);
}

/** Length in bytes as it goes over the wire, before any compression. */
export function bytesOf(raw: string): number {
  return new TextEncoder().encode(raw).length;
}
