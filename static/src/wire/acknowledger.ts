import { isObject, number, type Frame, type JsonObject, type Message } from './envelope';

/** Acknowledgements leave together, this long after the first message that they are for. */
export const ACK_DELAY_MS = 250;

/** Whether a topic is the offline queue of a client or a person. */
export function isPersonal(topic: string): boolean {
  return topic.startsWith('client:') || topic.startsWith('user:');
}

/** What of a personal topic had to be dropped before this message, as its frame tells. */
export function droppedBefore(frame: Frame): number {
  const payload: JsonObject = isObject(frame.payload) ? frame.payload : {};
  return number(frame.type === 'connected' ? payload.dropped : frame.metadata.dropped) ?? 0;
}

/** Acknowledges what arrived on personal topics, so that the hub takes it out of the offline queue. */
export class Acknowledger {
  private readonly newest = new Map<string, number>();
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly send: (payload: JsonObject) => void) {}

  /** Also for a message that came twice: then the hub has not heard of the first time. */
  took(message: Message): void {
    if (message.offset === null || !isPersonal(message.topic)) return;
    this.newest.set(message.topic, Math.max(this.newest.get(message.topic) ?? 0, message.offset));
    this.timer ??= setTimeout(() => this.flush(), ACK_DELAY_MS);
  }

  /** The connection is gone: the hub sends again what it has not heard of. */
  end(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.newest.clear();
  }

  private flush(): void {
    this.timer = null;
    for (const [topic, offset] of this.newest) this.send({ topic, offset });
    this.newest.clear();
  }
}
