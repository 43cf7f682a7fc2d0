/** A bounded first-in, first-out queue for what cannot be sent yet. Full: the oldest entry gives way and is handed back. */
export class Outbox<T> {
  private readonly entries: T[] = [];
  private dropped_total = 0;

  constructor(readonly bound: number) {}

  /** Adds an entry and returns the one that had to go for it, if any. */
  push(entry: T): T | undefined {
    this.entries.push(entry);
    if (this.entries.length <= this.bound) return undefined;
    this.dropped_total += 1;
    return this.entries.shift();
  }

  /** Takes the oldest out. */
  take(): T | undefined {
    return this.entries.shift();
  }

  /** Takes everything out, oldest first. */
  drain(): T[] {
    return this.entries.splice(0);
  }

  get first(): T | undefined {
    return this.entries[0];
  }

  get items(): readonly T[] {
    return [...this.entries];
  }

  get size(): number {
    return this.entries.length;
  }

  get dropped(): number {
    return this.dropped_total;
  }
}
