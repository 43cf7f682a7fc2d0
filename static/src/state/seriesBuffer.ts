/**
 * The newest points of one series in a ring, one point per `step_ms`: points that fall into the newest step are
 * averaged into it, older ones are ignored. Times are Unix milliseconds of the hub's clock.
 */
export class SeriesBuffer {
  private times: Float64Array;
  private values: Float64Array;
  private head = 0;
  private length = 0;
  private merged = 1;
  /** Grows with every change; a reader compares it to know whether to draw again. */
  version = 0;

  constructor(readonly step_ms: number, readonly capacity: number) {
    this.times = new Float64Array(capacity);
    this.values = new Float64Array(capacity);
  }

  push(at_ms: number, value: number): void {
    const step = Math.floor(at_ms / this.step_ms) * this.step_ms;
    const newest = this.newestIndex();
    if (newest >= 0) {
      const newest_at = this.times[newest] ?? 0;
      if (step < newest_at) return;
      if (step === newest_at) {
        const mean = this.values[newest] ?? value;
        this.merged += 1;
        this.values[newest] = mean + (value - mean) / this.merged;
        this.version += 1;
        return;
      }
    }
    const index = (this.head + this.length) % this.capacity;
    this.times[index] = step;
    this.values[index] = value;
    if (this.length < this.capacity) this.length += 1;
    else this.head = (this.head + 1) % this.capacity;
    this.merged = 1;
    this.version += 1;
  }

  /** Puts `points` (ascending) before what arrived live after the last of them. */
  preload(points: readonly (readonly [number, number | null])[]): void {
    const last = points.at(-1)?.[0] ?? -Infinity;
    const newer: [number, number][] = [];
    this.each(-Infinity, Infinity, (at_ms, value) => {
      if (at_ms > last) newer.push([at_ms, value]);
    });
    this.head = 0;
    this.length = 0;
    for (const [at_ms, value] of points) if (value !== null) this.push(at_ms, value);
    for (const [at_ms, value] of newer) this.push(at_ms, value);
    this.version += 1;
  }

  /** Calls back for each point in `[since_ms, until_ms]`, oldest first. */
  each(since_ms: number, until_ms: number, visit: (at_ms: number, value: number) => void): void {
    for (let position = 0; position < this.length; position += 1) {
      const index = (this.head + position) % this.capacity;
      const at_ms = this.times[index] ?? 0;
      if (at_ms >= since_ms && at_ms <= until_ms) visit(at_ms, this.values[index] ?? 0);
    }
  }

  newest(): { at_ms: number; value: number } | null {
    const index = this.newestIndex();
    return index < 0 ? null : { at_ms: this.times[index] ?? 0, value: this.values[index] ?? 0 };
  }

  oldestAt(): number | null {
    return this.length === 0 ? null : (this.times[this.head] ?? null);
  }

  get size(): number {
    return this.length;
  }

  private newestIndex(): number {
    return this.length === 0 ? -1 : (this.head + this.length - 1) % this.capacity;
  }
}
