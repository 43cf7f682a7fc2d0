/** What one animation frame may spend on drawing before the rest waits for the next. */
export const FRAME_BUDGET_MS = 3;

/** Draws what is dirty, each thing at most once per animation frame and within a budget per frame. */
export class FrameScheduler {
  private readonly dirty = new Set<() => void>();
  private scheduled = false;

  constructor(
    private readonly requestFrame: (run: () => void) => void = (run) => requestAnimationFrame(run),
    private readonly now: () => number = () => performance.now(),
  ) {}

  request(draw: () => void): void {
    this.dirty.add(draw);
    this.schedule();
  }

  cancel(draw: () => void): void {
    this.dirty.delete(draw);
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.requestFrame(() => this.run());
  }

  private run(): void {
    this.scheduled = false;
    const started_ms = this.now();
    for (const draw of this.dirty) {
      this.dirty.delete(draw);
      draw();
      if (this.now() - started_ms >= FRAME_BUDGET_MS) break;
    }
    if (this.dirty.size > 0) this.schedule();
  }
}

export const frames = new FrameScheduler();
