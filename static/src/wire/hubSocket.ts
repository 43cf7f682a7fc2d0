import { Acknowledger, droppedBefore, isPersonal } from './acknowledger';
import type { ConnectionState, Phase } from './connectionState';
import { isFlowing } from './connectionState';
import { Connector, type ConnectorOptions } from './connector';
import { controlOf, helloOf, skewOf } from './control';
import { messagesOf, parseFrame, type Frame, type Json, type JsonObject } from './envelope';
import { Heartbeat } from './heartbeat';
import { LongPoll, type Fallback, type PollRequest } from './longPoll';
import { Positions, type Position, type Tally, type TopicClass } from './positions';
import { Recovery } from './recovery';
import { Sender, type Outgoing } from './sender';
import { StateBox } from './stateBox';
import { TopicRegistry, type MessageListener } from './subscriptions';

export interface SocketOptions extends ConnectorOptions {
  readonly poll: (request: PollRequest, signal: AbortSignal) => Promise<Json>;
  readonly newId: () => string;
}

/** A frame as it went over the wire. `frame` is what was read of one that came, if anything could be. */
export type Wiretap =
  | { readonly direction: 'in'; readonly raw: string; readonly frame: Frame | null }
  | { readonly direction: 'out'; readonly raw: string; readonly outgoing: Outgoing };

/** The one WebSocket of the console: reconnects, recovers, queues, falls back; views read its state and messages. */
export class HubSocket {
  private was_connected = false;
  private readonly taps = new Set<(tap: Wiretap) => void>();
  private readonly losses = new Set<(topic: string) => void>();
  private readonly box = new StateBox();
  private readonly positions = new Positions();
  private readonly topics = new TopicRegistry((topic) => this.join(topic), (topic) => this.leave(topic));
  private readonly connector: Connector;
  private readonly sender: Sender;
  private readonly poll: LongPoll;
  private readonly acknowledger = new Acknowledger((payload) => this.sender.post('ack', payload));
  private readonly recovery = new Recovery(this.positions, {
    settled: () => this.settlePhase(),
    lost: (topic) => this.losses.forEach((listener) => listener(topic)),
  });
  private readonly heartbeat = new Heartbeat((t) => this.sender.post('ping', { t }), () => this.connector.closed(4010));

  constructor(private readonly options: SocketOptions) {
    this.connector = new Connector(options, this.box, {
      received: (raw) => this.received(raw),
      away: () => this.poll.startSoon(),
      stopped: () => this.poll.stop(),
      detached: () => this.detached(),
    });
    this.sender = new Sender({
      isOpen: () => this.connector.isOpen,
      write: (outgoing) => this.write(outgoing),
      changed: () => this.box.update({ waiting: this.sender.queued, dropped: this.sender.dropped }),
      newId: options.newId,
    });
    this.poll = new LongPoll({
      poll: options.poll,
      topics: () => this.topics.names().filter((topic) => !isPersonal(topic)),
      position: (topic) => this.positions.of(topic),
      take: (entries, messages) => {
        for (const message of this.recovery.polled(entries, messages)) this.topics.dispatch(message);
      },
      changed: (fallback) => this.polled(fallback),
    });
  }

  state = (): ConnectionState => this.box.current;

  watch = (watcher: () => void): (() => void) => this.box.watch(watcher);

  /** Sees every frame in both directions. */
  tap(listener: (tap: Wiretap) => void): () => void {
    this.taps.add(listener);
    return () => this.taps.delete(listener);
  }

  /** Called with each topic of which the hub could not give what was missed. */
  onLoss(listener: (topic: string) => void): () => void {
    this.losses.add(listener);
    return () => this.losses.delete(listener);
  }

  subscribe(topic: string, listener: MessageListener): () => void {
    return this.topics.add(topic, listener);
  }

  /** Sends a request and resolves with its reply. While offline it waits in the outbox; the oldest gives way when that is full. */
  request(type: string, payload: JsonObject): Promise<Frame> {
    return this.sender.request(type, payload);
  }

  /** Sends what somebody wrote by hand, valid or not. */
  requestRaw(written: string): { readonly outgoing: Outgoing; readonly reply: Promise<Frame> | null } {
    return this.sender.raw(written);
  }

  /** Takes everything out of the outbox. */
  discardWaiting(): void {
    this.sender.discard();
  }

  /** What happened to the messages of one topic, or of all. */
  tally(topic?: string): Tally {
    return topic === undefined ? this.positions.total() : this.positions.tally(topic);
  }

  /** Where this page stands in a topic; `null` when it is not subscribed. */
  position(topic: string): Position | null {
    return this.positions.of(topic);
  }

  /** What was read of the class of a topic, so that holes in a `latest` topic are no gaps. */
  learnClass(topic: string, kind: TopicClass): void {
    this.positions.learn(topic, kind);
  }

  /** Topics that were subscribed since the page was opened. */
  knownTopics(): string[] {
    return this.positions.topics();
  }

  /** What is not well with the hub, as read over HTTP: the frames tell of changes only. */
  setDegraded(subsystems: readonly string[]): void {
    this.box.update({ degraded_subsystems: subsystems });
    this.settlePhase();
  }

  start(): void {
    this.connector.start();
  }

  /** Skips the rest of the wait, also after a stop. */
  retryNow(): void {
    this.connector.retryNow();
  }

  /** Closes for good: sign-out or the page going away. */
  stop(reason: string): void {
    this.connector.stop(reason);
  }

  private received(raw: string): void {
    const frame = parseFrame(raw);
    for (const listener of this.taps) listener({ direction: 'in', raw, frame });
    if (frame === null) return;
    this.heartbeat.heard();
    this.box.heard(Date.now());
    this.deliver(frame);
    if (frame.type === 'message' || frame.type === 'batch') return;
    if (frame.type === 'connected') this.connected(frame);
    else if (frame.type === 'pong') this.box.update(this.heartbeat.measured(frame));
    else this.control(frame);
    this.sender.settle(frame);
  }

  private deliver(frame: Frame): void {
    for (const message of messagesOf(frame)) {
      if (isPersonal(message.topic)) {
        this.acknowledger.took(message);
        const dropped = droppedBefore(frame);
        if (dropped > 0) this.box.update({ dropped_by_hub: this.box.current.dropped_by_hub + dropped });
      }
      if (this.recovery.accept(message)) this.topics.dispatch(message);
    }
  }

  private control(frame: Frame): void {
    const control = controlOf(frame);
    if (control === null) return;
    const degraded = this.box.current.degraded_subsystems;
    switch (control.kind) {
      case 'degraded':
        this.setDegraded([...new Set(degraded).add(control.subsystem)]);
        break;
      case 'recovered':
        this.setDegraded(degraded.filter((name) => name !== control.subsystem));
        break;
      case 'draining':
        this.connector.draining(control.reconnect_after_ms);
        break;
      case 'lagged':
        this.positions.lagged(control.topic, control.dropped, control.conflated);
        break;
      case 'flow':
        this.sender.pace(control.flow);
        this.box.update({ flow: control.flow });
        break;
      case 'token_expiring':
        void this.renewToken();
        break;
    }
  }

  private async renewToken(): Promise<void> {
    const outcome = await this.options.credentials.ensureFresh(true);
    const token = this.options.credentials.token();
    if (outcome === 'ok' && token !== null && this.connector.isOpen) {
      // A refused token ends in close code 4009, which has its own policy.
      await this.request('refresh', { token }).catch(() => undefined);
    }
  }

  private connected(frame: Frame): void {
    this.connector.greeted();
    this.poll.stop();
    const again = this.was_connected;
    this.was_connected = true;
    const { reconnects, dropped_by_hub, clock_skew_ms } = this.box.current;
    this.box.enter('syncing', {
      reason: null,
      attempt: 0,
      reconnects: reconnects + (again ? 1 : 0),
      hello: helloOf(frame),
      degraded_subsystems: [],
      dropped_by_hub: dropped_by_hub + droppedBefore(frame),
      flow: null,
      clock_skew_ms: skewOf(frame.timestamp, Date.now()) ?? clock_skew_ms,
    });
    this.recovery.begin(again);
    for (const topic of this.topics.names()) this.join(topic);
    this.sender.flush();
    this.heartbeat.start();
    this.recovery.settle();
  }

  private join(topic: string): void {
    // The hub subscribes a client to its own queues by itself.
    if (isPersonal(topic)) return;
    if (!this.connector.isOpen) {
      this.poll.restart();
      return;
    }
    this.request('subscribe', { topics: [this.recovery.ask(topic)] })
      .then((reply) => this.recovery.confirmed(topic, reply), () => this.recovery.refused(topic));
  }

  private leave(topic: string): void {
    if (isPersonal(topic)) return;
    this.positions.forget(topic);
    if (this.connector.isOpen) this.request('unsubscribe', { topics: [topic] }).catch(() => undefined);
  }

  private settlePhase(): void {
    const { phase, degraded_subsystems, recovery } = this.box.current;
    if (!this.connector.isOpen || phase === 'draining' || (phase === 'syncing' && !this.recovery.settled)) return;
    const next: Phase = degraded_subsystems.length > 0 ? 'degraded' : 'live';
    if (next !== phase || this.recovery.report !== recovery) this.box.enter(next, { reason: null, recovery: this.recovery.report });
  }

  private detached(): void {
    this.heartbeat.stop();
    this.acknowledger.end();
    this.recovery.end();
    this.sender.lost();
  }

  private polled(fallback: Fallback | null): void {
    const answered_at_ms = fallback?.answered_at_ms ?? null;
    if (answered_at_ms !== null && !isFlowing(this.box.current.phase)) this.box.heard(answered_at_ms);
    this.box.update({ fallback });
  }

  private write(outgoing: Outgoing): void {
    this.connector.send(outgoing.raw);
    for (const listener of this.taps) listener({ direction: 'out', raw: outgoing.raw, outgoing });
  }
}
