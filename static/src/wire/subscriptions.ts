import type { Message } from './envelope';

export type MessageListener = (message: Message) => void;

interface TopicEntry {
  readonly listeners: Set<MessageListener>;
  leave_timer: ReturnType<typeof setTimeout> | null;
}

/** How long a topic without listeners stays subscribed, so that going from page to page does not churn. */
export const LEAVE_DELAY_MS = 2_000;

/** Reference counts by topic: the first listener subscribes on the socket, the last one leaves it a little later. */
export class TopicRegistry {
  private readonly topics = new Map<string, TopicEntry>();

  constructor(
    private readonly join: (topic: string) => void,
    private readonly leave: (topic: string) => void,
  ) {}

  /** Adds a listener and returns the function that removes it. */
  add(topic: string, listener: MessageListener): () => void {
    let entry = this.topics.get(topic);
    if (entry === undefined) {
      entry = { listeners: new Set(), leave_timer: null };
      this.topics.set(topic, entry);
      this.join(topic);
    } else if (entry.leave_timer !== null) {
      clearTimeout(entry.leave_timer);
      entry.leave_timer = null;
    }
    entry.listeners.add(listener);
    return () => this.remove(topic, listener);
  }

  private remove(topic: string, listener: MessageListener): void {
    const entry = this.topics.get(topic);
    if (!entry?.listeners.delete(listener) || entry.listeners.size > 0) return;
    entry.leave_timer = setTimeout(() => {
      this.topics.delete(topic);
      this.leave(topic);
    }, LEAVE_DELAY_MS);
  }

  dispatch(message: Message): void {
    const entry = this.topics.get(message.topic);
    if (entry === undefined) return;
    for (const listener of entry.listeners) listener(message);
  }

  names(): string[] {
    return [...this.topics.keys()];
  }
}
