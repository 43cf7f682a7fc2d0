import { fullJitterDelay } from './backoff';
import { closePolicy } from './closeCodes';
import { isFlowing } from './connectionState';
import type { StateBox } from './stateBox';

/** An opened socket; what it hears goes to its `SocketEvents`. */
export interface SocketLike {
  send(data: string): void;
  close(code?: number): void;
}

export interface SocketEvents {
  readonly message: (raw: string) => void;
  readonly closed: (code: number) => void;
}

export type Freshness = 'ok' | 'denied' | 'unreachable';

/** Where the socket gets its token from. */
export interface Credentials {
  /** The access token, or `null` where the hub asks for none. */
  token(): string | null;
  /** Makes sure the token will do for a while; `force` gets a new one in any case. */
  ensureFresh(force: boolean): Promise<Freshness>;
}

export interface ConnectorOptions {
  readonly open: (client_id: string, protocols: string[], events: SocketEvents) => SocketLike;
  readonly credentials: Credentials;
  readonly client_id: string;
  readonly random: () => number;
}

export interface ConnectorHooks {
  readonly received: (raw: string) => void;
  /** There is no socket and there will be one again. */
  readonly away: () => void;
  /** There is no socket and no attempt by itself. */
  readonly stopped: () => void;
  /** The socket that was there is gone, for whatever reason. */
  readonly detached: () => void;
}

export const OPEN_TIMEOUT_MS = 10_000;
const PROTOCOL = 'infrawatch.v1.json';

/** Opens the socket, and again after each close, as the table of close codes says. */
export class Connector {
  private socket: SocketLike | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private drain_hint_ms = 0;
  private failed_openings = 0;
  private generation = 0;

  constructor(
    private readonly options: ConnectorOptions,
    private readonly box: StateBox,
    private readonly hooks: ConnectorHooks,
  ) {}

  get isOpen(): boolean {
    return this.socket !== null && isFlowing(this.box.current.phase);
  }

  send(raw: string): void {
    this.socket?.send(raw);
  }

  start(): void {
    void this.attempt(false);
  }

  /** Skips the rest of the wait, also after a stop. */
  retryNow(): void {
    if (this.socket === null) void this.attempt(false);
  }

  stop(reason: string): void {
    this.detach(1000);
    this.halt(reason);
  }

  /** The hub said hello. */
  greeted(): void {
    this.clearTimer();
    this.failed_openings = 0;
    this.drain_hint_ms = 0;
  }

  /** The hub will close soon and says when to come back. */
  draining(reconnect_after_ms: number): void {
    this.drain_hint_ms = reconnect_after_ms;
    this.box.enter('draining', { reason: 'The hub is draining' });
  }

  /** The socket closed, or has to be taken for closed. */
  closed(code: number): void {
    const policy = closePolicy(code);
    const hint_ms = this.drain_hint_ms;
    this.drain_hint_ms = 0;
    if (!isFlowing(this.box.current.phase)) this.failed_openings += 1;
    this.detach(code >= 3000 ? code : 1000);
    if (policy.action === 'stop') {
      this.halt(policy.reason);
    } else if (policy.action === 'refresh_and_reconnect') {
      void this.attempt(true);
    } else {
      this.box.update({ attempt: Math.max(this.box.current.attempt, policy.first_attempt) });
      this.wait(policy.reason, hint_ms);
    }
  }

  private async attempt(force_refresh: boolean): Promise<void> {
    this.clearTimer();
    const generation = ++this.generation;
    this.box.enter('connecting', { retry_at_ms: null });
    this.hooks.away();
    // A socket that closes before `connected` hides whether the token or the network was at fault.
    const outcome = await this.options.credentials.ensureFresh(force_refresh || this.failed_openings > 1);
    if (generation !== this.generation) return;
    if (outcome === 'denied') {
      this.halt('Signed out');
      return;
    }
    if (outcome === 'unreachable') {
      this.wait(closePolicy(1006).reason, 0);
      return;
    }
    const token = this.options.credentials.token();
    const protocols = token === null ? [PROTOCOL] : [PROTOCOL, `bearer.${token}`];
    const socket = this.options.open(this.options.client_id, protocols, {
      message: (raw) => {
        if (this.socket === socket) this.hooks.received(raw);
      },
      closed: (code) => {
        if (this.socket === socket) this.closed(code);
      },
    });
    this.socket = socket;
    this.timer = setTimeout(() => this.closed(1006), OPEN_TIMEOUT_MS);
  }

  private wait(reason: string, hint_ms: number): void {
    const delay_ms = hint_ms + fullJitterDelay(this.box.current.attempt, this.options.random);
    this.box.enter('offline', { reason, retry_at_ms: Date.now() + delay_ms, attempt: this.box.current.attempt + 1 });
    this.timer = setTimeout(() => void this.attempt(false), delay_ms);
    this.hooks.away();
  }

  private halt(reason: string): void {
    this.hooks.stopped();
    this.box.enter('stopped', { reason, retry_at_ms: null });
  }

  private detach(code: number): void {
    this.generation += 1;
    this.clearTimer();
    const socket = this.socket;
    this.socket = null;
    socket?.close(code);
    this.hooks.detached();
  }

  private clearTimer(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }
}
