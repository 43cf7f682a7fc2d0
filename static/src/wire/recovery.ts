import { isObject, number, text, type Frame, type Json, type JsonObject, type Message } from './envelope';
import type { Positions, TopicClass } from './positions';

/** How the last reconnect went. Times are the browser's clock, in Unix milliseconds. */
export interface RecoveryReport {
  readonly at_ms: number;
  /** Until everything that was missed had arrived; `null` while it is coming. */
  readonly took_ms: number | null;
  readonly topics: number;
  readonly recovered: number;
  /** Topics of which the hub could not give what was missed. */
  readonly lost: readonly string[];
  readonly messages: number;
}

interface CatchUp {
  /** Offset that the topic stood at when the hub answered. */
  readonly until: number;
  readonly kind: TopicClass;
  /** Messages that the hub announced. */
  rest: number;
}

export interface RecoveryHooks {
  /** Everything that was missed is here, or known to be lost. */
  readonly settled: () => void;
  /** What was missed of a topic cannot be given: a snapshot has to be read over HTTP. */
  readonly lost: (topic: string) => void;
}

/** A hub that announced more than it sends does not keep the page in `syncing` for longer than this. */
export const CATCH_UP_LIMIT_MS = 10_000;

/** What is subscribed but not confirmed, or confirmed but not caught up with. */
export class Recovery {
  private readonly unconfirmed = new Set<string>();
  private readonly behind = new Map<string, CatchUp>();
  private limit: ReturnType<typeof setTimeout> | null = null;
  private current: RecoveryReport | null = null;

  constructor(private readonly positions: Positions, private readonly hooks: RecoveryHooks) {}

  get report(): RecoveryReport | null {
    return this.current;
  }

  get settled(): boolean {
    return this.unconfirmed.size === 0 && this.behind.size === 0;
  }

  /** A connection begins; `again` when there was one before, so that there may be something to recover. */
  begin(again: boolean): void {
    this.end();
    this.current = again ? { at_ms: Date.now(), took_ms: null, topics: 0, recovered: 0, lost: [], messages: 0 } : null;
    this.limit = setTimeout(() => {
      this.behind.clear();
      this.settle();
    }, CATCH_UP_LIMIT_MS);
  }

  /** The connection is gone. */
  end(): void {
    this.unconfirmed.clear();
    this.behind.clear();
    if (this.limit !== null) clearTimeout(this.limit);
    this.limit = null;
  }

  /** How to ask for a topic: from where this page stands in it, if it stands anywhere. */
  ask(topic: string): Json {
    this.unconfirmed.add(topic);
    const position = this.positions.of(topic);
    return position === null ? topic : { topic, recover: { epoch: position.epoch, offset: position.offset } };
  }

  confirmed(topic: string, reply: Frame): void {
    const entry = entryOf(reply, topic);
    if (entry !== null) this.place(topic, entry);
    this.unconfirmed.delete(topic);
    this.settle();
  }

  /** The hub refused the topic. */
  refused(topic: string): void {
    this.unconfirmed.delete(topic);
    this.settle();
  }

  /** Takes note of a message, also of one that came twice; false for such a one. */
  accept(message: Message): boolean {
    const is_new = this.positions.accept(message);
    const catch_up = this.behind.get(message.topic);
    if (catch_up !== undefined) {
      catch_up.rest -= 1;
      if (is_new && this.current !== null) this.current = { ...this.current, messages: this.current.messages + 1 };
      if (catch_up.kind === 'log' ? (message.offset ?? 0) >= catch_up.until : catch_up.rest <= 0) {
        this.behind.delete(message.topic);
        this.settle();
      }
    }
    return is_new;
  }

  /**
   * Takes the answer to a poll: what it says about the topics, and its messages, of which the new ones are returned.
   * A topic that stands nowhere yet begins with the first message or, without one, where the answer says.
   */
  polled(entries: readonly JsonObject[], messages: readonly Message[]): Message[] {
    for (const entry of entries) {
      const topic = text(entry.topic) ?? '';
      const epoch = text(entry.epoch);
      if (entry.recovered !== false || epoch === null || this.positions.of(topic) === null) continue;
      const first = messages.find((message) => message.topic === topic)?.offset;
      const offset = typeof first === 'number' ? first - 1 : (number(entry.offset) ?? 0);
      this.positions.restart(topic, { epoch, offset }, this.kindOf(entry, topic), true);
      this.hooks.lost(topic);
    }
    const fresh = messages.filter((message) => this.positions.accept(message));
    for (const entry of entries) {
      const topic = text(entry.topic) ?? '';
      if (this.positions.of(topic) === null) this.place(topic, entry);
    }
    return fresh;
  }

  private place(topic: string, entry: JsonObject): void {
    const epoch = text(entry.epoch);
    const offset = number(entry.offset);
    if (epoch === null || offset === null) return;
    const known = this.positions.of(topic);
    const kind = this.kindOf(entry, topic);
    if (known === null) {
      this.positions.restart(topic, { epoch, offset }, kind, false);
      return;
    }
    const recovered = entry.recovered === true;
    this.count(topic, recovered);
    if (!recovered) {
      this.positions.restart(topic, { epoch, offset }, kind, true);
      this.hooks.lost(topic);
      return;
    }
    const rest = number(entry.recovered_count) ?? (kind === 'log' ? offset - known.offset : 0);
    if (rest > 0) this.behind.set(topic, { until: offset, kind, rest });
  }

  private kindOf(entry: JsonObject, topic: string): TopicClass {
    return entry.class === 'latest' || entry.class === 'log' ? entry.class : this.positions.kindOf(topic);
  }

  private count(topic: string, recovered: boolean): void {
    if (this.current === null) return;
    const { topics, recovered: before, lost } = this.current;
    this.current = {
      ...this.current, topics: topics + 1, recovered: before + (recovered ? 1 : 0), lost: recovered ? lost : [...lost, topic],
    };
  }

  /** Tells that everything is here, if it is. */
  settle(): void {
    if (!this.settled) return;
    if (this.limit !== null) clearTimeout(this.limit);
    this.limit = null;
    if (this.current?.took_ms === null) this.current = { ...this.current, took_ms: Date.now() - this.current.at_ms };
    this.hooks.settled();
  }
}

function entryOf(reply: Frame, topic: string): JsonObject | null {
  const topics = isObject(reply.payload) ? reply.payload.topics : null;
  if (!Array.isArray(topics)) return null;
  return topics.filter(isObject).find((entry) => entry.topic === topic) ?? null;
}
