import { isObject, type Frame, type Json, type JsonObject } from './envelope';
import { Outbox } from './outbox';
import { Pacer, type Flow } from './pacer';
import { PendingRequests, RequestError } from './pendingRequests';

/** A frame on its way to the hub. */
export interface Outgoing {
  readonly id: string;
  readonly type: string;
  /** The whole frame as it goes out. */
  readonly raw: string;
  /** When it was made, on the browser's clock. */
  readonly at_ms: number;
}

export interface SenderOptions {
  readonly isOpen: () => boolean;
  readonly write: (outgoing: Outgoing) => void;
  /** What waits or was dropped has changed. */
  readonly changed: () => void;
  readonly newId: () => string;
}

export const OUTBOX_BOUND = 100;

interface Waiter {
  readonly resolve: (frame: Frame) => void;
  readonly reject: (error: RequestError) => void;
}

/** Requests on their way out: at once while connected, else in a bounded queue; no faster than the hub asks for. */
export class Sender {
  private readonly outbox = new Outbox<Outgoing>(OUTBOX_BOUND);
  private readonly waiters = new Map<string, Waiter>();
  private readonly pending = new PendingRequests();
  private readonly pacer = new Pacer();
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly options: SenderOptions) {}

  get queued(): readonly Outgoing[] {
    return this.outbox.items;
  }

  get dropped(): number {
    return this.outbox.dropped;
  }

  request(type: string, payload: JsonObject): Promise<Frame> {
    return this.exchange(this.frame(type, payload));
  }

  /**
   * Sends what somebody wrote by hand; a frame is given an id where it has none. Text that is no frame goes out as it is
   * and cannot have a reply: what the hub thinks of it comes as an `error` to nobody.
   */
  raw(written: string): { readonly outgoing: Outgoing; readonly reply: Promise<Frame> | null } {
    const outgoing = this.written(written);
    if (outgoing.id !== '') return { outgoing, reply: this.exchange(outgoing) };
    if (!this.options.isOpen()) {
      return { outgoing, reply: Promise.reject(new RequestError('offline', 'Text that is no frame cannot wait in the queue', true, null)) };
    }
    this.transmit(outgoing);
    return { outgoing, reply: null };
  }

  private written(written: string): Outgoing {
    let value: Json = null;
    try {
      value = JSON.parse(written) as Json;
    } catch {
      // The hub answers such text with an error, which is what whoever wrote it wants to see.
    }
    if (!isObject(value)) return { id: '', type: '', raw: written, at_ms: Date.now() };
    const id = typeof value.id === 'string' && value.id !== '' ? value.id : this.options.newId();
    const type = typeof value.type === 'string' ? value.type : '';
    return { id, type, raw: JSON.stringify({ ...value, id }), at_ms: Date.now() };
  }

  /** Resolves with the reply. While offline the frame waits; the oldest gives way when too many do. */
  exchange(outgoing: Outgoing): Promise<Frame> {
    if (this.options.isOpen() && this.outbox.size === 0 && this.pacer.wait(outgoing.type, Date.now()) <= 0) {
      const reply = this.pending.expect(outgoing.id);
      this.transmit(outgoing);
      return reply;
    }
    return new Promise((resolve, reject) => {
      this.waiters.set(outgoing.id, { resolve, reject });
      const dropped = this.outbox.push(outgoing);
      if (dropped !== undefined) this.giveUp(dropped, new RequestError('queue_full', 'Too much was waiting to be sent', true, null));
      this.options.changed();
      this.flush();
    });
  }

  /** Sends what has no reply and no meaning on a later connection. */
  post(type: string, payload: JsonObject): void {
    if (this.options.isOpen()) this.transmit(this.frame(type, payload));
  }

  /** Takes frames out of the queue that have not left yet. */
  discard(): void {
    for (const outgoing of this.outbox.drain()) {
      this.giveUp(outgoing, new RequestError('discarded', 'Taken out of the queue before it was sent', false, null));
    }
    this.options.changed();
  }

  settle(frame: Frame): boolean {
    return this.pending.settle(frame);
  }

  pace(flow: Flow | null): void {
    this.pacer.apply(flow);
    this.flush();
  }

  /** Sends what waits, in order, as far as the hub allows. */
  flush(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    if (!this.options.isOpen() || this.outbox.size === 0) return;
    for (let next = this.outbox.first; next !== undefined; next = this.outbox.first) {
      const wait_ms = this.pacer.wait(next.type, Date.now());
      if (wait_ms > 0) {
        this.timer = setTimeout(() => this.flush(), wait_ms);
        break;
      }
      this.outbox.take();
      const waiter = this.waiters.get(next.id);
      this.waiters.delete(next.id);
      if (waiter !== undefined) this.pending.expect(next.id).then(waiter.resolve, waiter.reject);
      this.transmit(next);
    }
    this.options.changed();
  }

  /** The connection is gone: nobody knows whether the hub acted on what was on the wire, so that is not sent again. */
  lost(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.pacer.apply(null);
    this.pending.failAll(new RequestError('connection_lost', 'The connection was lost before the hub answered', true, null));
  }

  private frame(type: string, payload: JsonObject): Outgoing {
    const id = this.options.newId();
    const at_ms = Date.now();
    return { id, type, raw: JSON.stringify({ version: 1, type, id, timestamp: new Date(at_ms).toISOString(), payload }), at_ms };
  }

  private transmit(outgoing: Outgoing): void {
    this.pacer.sent(outgoing.type, Date.now());
    this.options.write(outgoing);
  }

  private giveUp(outgoing: Outgoing, error: RequestError): void {
    this.waiters.get(outgoing.id)?.reject(error);
    this.waiters.delete(outgoing.id);
  }
}
