import { initialConnectionState, type ConnectionState, type Phase } from './connectionState';

/** The state of the connection, and who wants to know of it. */
export class StateBox {
  private value: ConnectionState = initialConnectionState(Date.now());
  private readonly watchers = new Set<() => void>();

  get current(): ConnectionState {
    return this.value;
  }

  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** Changes the phase; `since_ms` moves when it is another one. */
  enter(phase: Phase, change: Partial<ConnectionState>): void {
    const since_ms = phase === this.value.phase ? this.value.since_ms : Date.now();
    this.update({ ...change, phase, since_ms });
  }

  update(change: Partial<ConnectionState>): void {
    this.value = { ...this.value, ...change };
    for (const watcher of this.watchers) watcher();
  }

  /** Notes that a frame came, which happens too often to tell everybody of it. */
  heard(at_ms: number): void {
    this.value = { ...this.value, last_frame_at_ms: at_ms };
  }
}
