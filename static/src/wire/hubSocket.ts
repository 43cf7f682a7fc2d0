import { fullJitterDelay } from './backoff';
import { closePolicy } from './closeCodes';
import { initialConnectionState, isFlowing, type ConnectionState, type Phase } from './connectionState';
import { messagesOf, parseFrame, type Frame, type JsonObject, type Request } from './envelope';
import { Heartbeat } from './heartbeat';
import { controlOf, helloOf, skewOf } from './control';
import { Outbox } from './outbox';
import { PendingRequests, RequestError } from './pendingRequests';
import { TopicRegistry, type MessageListener } from './subscriptions';

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

export interface SocketOptions {
  readonly open: (client_id: string, protocols: string[], events: SocketEvents) => SocketLike;
  readonly credentials: Credentials;
  readonly client_id: string;
  readonly random: () => number;
  readonly newId: () => string;
}

interface Waiter {
  readonly resolve: (frame: Frame) => void;
  readonly reject: (error: RequestError) => void;
}

export const OPEN_TIMEOUT_MS = 10_000;
export const OUTBOX_BOUND = 100;
const PROTOCOL = 'infrawatch.v1.json';

/** The one WebSocket of the console: opens, reconnects, subscribes, queues; views read its state and messages. */
export class HubSocket {
  private socket: SocketLike | null = null;
  private current: ConnectionState = initialConnectionState(Date.now());
  private timer: ReturnType<typeof setTimeout> | null = null;
  private drain_hint_ms = 0;
  private failed_openings = 0;
  private generation = 0;
  private was_connected = false;
  private readonly unconfirmed = new Set<string>();
  private readonly outbox = new Outbox<Request>(OUTBOX_BOUND);
  private readonly queued = new Map<string, Waiter>();
  private readonly pending = new PendingRequests();
  private readonly watchers = new Set<() => void>();
  private readonly topics = new TopicRegistry((topic) => this.join(topic), (topic) => this.leave(topic));
  private readonly heartbeat = new Heartbeat(
    (t) => this.transmit({ type: 'ping', id: this.options.newId(), payload: { t } }),
    () => this.closed(4010),
  );

  constructor(private readonly options: SocketOptions) {}

  state = (): ConnectionState => this.current;

  watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  subscribe(topic: string, listener: MessageListener): () => void {
    return this.topics.add(topic, listener);
  }

  /** Sends a request and resolves with its reply. While offline it waits in the outbox; the oldest gives way when that is full. */
  request(type: string, payload: JsonObject): Promise<Frame> {
    const request: Request = { type, id: this.options.newId(), payload };
    if (this.isOpen()) {
      const reply = this.pending.expect(request.id);
      this.transmit(request);
      return reply;
    }
    return new Promise((resolve, reject) => {
      this.queued.set(request.id, { resolve, reject });
      const dropped = this.outbox.push(request);
      if (dropped !== undefined) {
        this.queued.get(dropped.id)?.reject(new RequestError('queue_full', 'Too much was waiting to be sent', true, null));
        this.queued.delete(dropped.id);
      }
      this.update({ queued: this.outbox.size, dropped: this.outbox.dropped });
    });
  }

  start(): void {
    void this.attempt(false);
  }

  /** Skips the rest of the wait, also after a stop. */
  retryNow(): void {
    if (this.socket !== null) return;
    void this.attempt(false);
  }

  /** Closes for good: sign-out or the page going away. */
  stop(reason: string): void {
    this.detach(1000);
    this.enter('stopped', { reason, retry_at_ms: null });
  }

  private isOpen(): boolean {
    return this.socket !== null && isFlowing(this.current.phase);
  }

  private async attempt(force_refresh: boolean): Promise<void> {
    this.clearTimer();
    const generation = ++this.generation;
    this.enter('connecting', { retry_at_ms: null });
    // A socket that closes before `connected` hides whether the token or the network was at fault.
    const outcome = await this.options.credentials.ensureFresh(force_refresh || this.failed_openings > 1);
    if (generation !== this.generation) return;
    if (outcome === 'denied') {
      this.enter('stopped', { reason: 'Signed out', retry_at_ms: null });
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
        if (this.socket === socket) this.received(raw);
      },
      closed: (code) => {
        if (this.socket === socket) this.closed(code);
      },
    });
    this.socket = socket;
    this.timer = setTimeout(() => this.closed(1006), OPEN_TIMEOUT_MS);
  }

  private received(raw: string): void {
    const frame = parseFrame(raw);
    if (frame === null) return;
    this.heartbeat.heard();
    this.current = { ...this.current, last_frame_at_ms: Date.now() };
    for (const message of messagesOf(frame)) this.topics.dispatch(message);
    if (frame.type === 'message' || frame.type === 'batch') return;
    if (frame.type === 'connected') this.connected(frame);
    else if (frame.type === 'pong') this.update(this.heartbeat.measured(frame));
    else this.control(frame);
    this.pending.settle(frame);
  }

  private control(frame: Frame): void {
    const control = controlOf(frame);
    if (control === null) return;
    switch (control.kind) {
      case 'degraded': {
        const names = new Set(this.current.degraded_subsystems).add(control.subsystem);
        this.update({ degraded_subsystems: [...names] });
        this.settlePhase();
        break;
      }
      case 'recovered':
        this.update({ degraded_subsystems: this.current.degraded_subsystems.filter((name) => name !== control.subsystem) });
        this.settlePhase();
        break;
      case 'draining':
        this.drain_hint_ms = control.reconnect_after_ms;
        this.enter('draining', { reason: 'The hub is draining' });
        break;
      case 'token_expiring':
        void this.renewToken();
        break;
    }
  }

  private async renewToken(): Promise<void> {
    const outcome = await this.options.credentials.ensureFresh(true);
    const token = this.options.credentials.token();
    if (outcome === 'ok' && token !== null && this.isOpen()) {
      // A refused token ends in close code 4009, which has its own policy.
      await this.request('refresh', { token }).catch(() => undefined);
    }
  }

  private connected(frame: Frame): void {
    this.clearTimer();
    this.failed_openings = 0;
    this.drain_hint_ms = 0;
    const reconnects = this.current.reconnects + (this.was_connected ? 1 : 0);
    this.was_connected = true;
    this.enter('syncing', {
      reason: null,
      attempt: 0,
      reconnects,
      hello: helloOf(frame),
      degraded_subsystems: [],
      clock_skew_ms: skewOf(frame.timestamp, Date.now()) ?? this.current.clock_skew_ms,
    });
    this.unconfirmed.clear();
    for (const topic of this.topics.names()) this.join(topic);
    this.flush();
    this.heartbeat.start();
    this.settlePhase();
  }

  private flush(): void {
    for (const request of this.outbox.drain()) {
      const waiter = this.queued.get(request.id);
      this.queued.delete(request.id);
      if (waiter === undefined) continue;
      this.pending.expect(request.id).then(waiter.resolve, waiter.reject);
      this.transmit(request);
    }
    this.update({ queued: 0 });
  }

  private join(topic: string): void {
    if (!this.isOpen()) return;
    this.unconfirmed.add(topic);
    const confirmed = (): void => {
      this.unconfirmed.delete(topic);
      this.settlePhase();
    };
    this.request('subscribe', { topics: [topic] }).then(confirmed, confirmed);
  }

  private leave(topic: string): void {
    if (this.isOpen()) this.request('unsubscribe', { topics: [topic] }).catch(() => undefined);
  }

  private settlePhase(): void {
    if (this.socket === null || !isFlowing(this.current.phase) || this.current.phase === 'draining') return;
    if (this.unconfirmed.size > 0 && this.current.phase === 'syncing') return;
    const phase: Phase = this.current.degraded_subsystems.length > 0 ? 'degraded' : 'live';
    if (phase !== this.current.phase) this.enter(phase, { reason: null });
  }

  private closed(code: number): void {
    const policy = closePolicy(code);
    const hint_ms = this.drain_hint_ms;
    this.drain_hint_ms = 0;
    if (!isFlowing(this.current.phase)) this.failed_openings += 1;
    this.detach(code >= 3000 ? code : 1000);
    this.pending.failAll(new RequestError('connection_lost', 'The connection was lost before the hub answered', true, null));
    if (policy.action === 'stop') {
      this.enter('stopped', { reason: policy.reason, retry_at_ms: null });
    } else if (policy.action === 'refresh_and_reconnect') {
      void this.attempt(true);
    } else {
      this.update({ attempt: Math.max(this.current.attempt, policy.first_attempt) });
      this.wait(policy.reason, hint_ms);
    }
  }

  private wait(reason: string, hint_ms: number): void {
    const delay_ms = hint_ms + fullJitterDelay(this.current.attempt, this.options.random);
    this.enter('offline', { reason, retry_at_ms: Date.now() + delay_ms, attempt: this.current.attempt + 1 });
    this.timer = setTimeout(() => void this.attempt(false), delay_ms);
  }

  private detach(code: number): void {
    this.generation += 1;
    this.clearTimer();
    this.heartbeat.stop();
    const socket = this.socket;
    this.socket = null;
    socket?.close(code);
  }

  private transmit(request: Request): void {
    this.socket?.send(JSON.stringify({ version: 1, ...request, timestamp: new Date().toISOString() }));
  }

  private clearTimer(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private enter(phase: Phase, change: Partial<ConnectionState>): void {
    const since_ms = phase === this.current.phase ? this.current.since_ms : Date.now();
    this.update({ ...change, phase, since_ms });
  }

  private update(change: Partial<ConnectionState>): void {
    this.current = { ...this.current, ...change };
    for (const watcher of this.watchers) watcher();
  }
}
