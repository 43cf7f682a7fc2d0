import { isObject, type Message } from '../wire/envelope';
import { afterMessage, type LiveRun } from './runProgress';

/** What the topic `testing` tells: the load test that runs, and that a fault scenario began or ended. */
export class LabStore {
  private newest: LiveRun | null = null;
  private shown: LiveRun | null = null;
  private paused = false;
  private publishing = false;
  private readonly watchers = new Set<() => void>();

  constructor(
    /** Called when a run began or ended, so that the stored ones have to be read again. */
    private readonly onRuns: () => void,
    /** Called when a fault scenario began or ended. */
    private readonly onFaults: () => void,
    private readonly schedule: (publish: () => void) => void = (publish) => requestAnimationFrame(publish),
  ) {}

  watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  /** The run that was last heard of; stands still while the view is paused. */
  run = (): LiveRun | null => this.shown;

  setPaused(paused: boolean): void {
    this.paused = paused;
    if (!paused) this.publishSoon();
  }

  onMessage = ({ payload }: Message): void => {
    if (isObject(payload) && isObject(payload.fault)) this.onFaults();
    const before = this.newest;
    this.newest = afterMessage(before, payload);
    if (this.newest === before) return;
    if (before?.id !== this.newest?.id || before?.status !== this.newest?.status) this.onRuns();
    this.publishSoon();
  };

  private publishSoon(): void {
    if (this.paused || this.publishing || this.shown === this.newest) return;
    this.publishing = true;
    this.schedule(() => {
      this.publishing = false;
      if (this.paused) return;
      this.shown = this.newest;
      for (const watcher of this.watchers) watcher();
    });
  }
}
