import { frameOf, isObject, messagesOf, type Json, type JsonObject, type Message } from './envelope';
import type { Position } from './positions';

/** What stands in for the socket: nothing yet, or long polls over HTTP. Times are the browser's clock. */
export interface Fallback {
  readonly since_ms: number;
  /** When the hub last answered a poll. */
  readonly answered_at_ms: number | null;
  readonly answers: number;
  readonly messages: number;
  /** Why the last poll failed; `null` while polls are answered. */
  readonly failure: string | null;
}

export interface PollRequest {
  readonly topics: readonly string[];
  readonly since: string | undefined;
  readonly wait_s: number;
}

export interface LongPollOptions {
  /** One request; rejects with the reason in words. */
  readonly poll: (request: PollRequest, signal: AbortSignal) => Promise<Json>;
  /** Topics that views want at this moment. */
  readonly topics: () => readonly string[];
  readonly position: (topic: string) => Position | null;
  /** What an answer says about the topics (where they stand, whether what was missed is there), and its messages. */
  readonly take: (topics: readonly JsonObject[], messages: readonly Message[]) => void;
  readonly changed: (fallback: Fallback | null) => void;
}

/** Without a socket for this long, the page polls. */
export const FALLBACK_AFTER_MS = 2_000;
export const WAIT_S = 20;
/** Without topics there is nothing to wait for: the hub is asked this often whether it is there. */
export const EMPTY_POLL_MS = 5_000;
export const RETRY_MS = 3_000;

/** Where a page stands in its topics, in the form in which the hub takes it: what the socket delivered is not delivered again. */
export function cursorOf(topics: readonly string[], position: (topic: string) => Position | null): string | undefined {
  const parts = topics.flatMap((topic) => {
    const at = position(topic);
    return at === null ? [] : [topic, at.epoch, String(at.offset)];
  });
  return parts.length === 0 ? undefined : ['v1', ...parts].join('~');
}

/** Long polls while there is no socket. */
export class LongPoll {
  private state: Fallback | null = null;
  private abort: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly options: LongPollOptions) {}

  /** Begins in a while: most losses of a socket are over before that. */
  startSoon(): void {
    if (this.state === null) this.timer ??= setTimeout(() => this.start(), FALLBACK_AFTER_MS);
  }

  private start(): void {
    this.timer = null;
    this.say({ since_ms: Date.now(), answered_at_ms: null, answers: 0, messages: 0, failure: null });
    void this.run();
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    if (this.state === null) return;
    this.state = null;
    this.abort?.abort();
    this.options.changed(null);
  }

  /** The topics are other ones: the poll on the wire asks for the wrong ones. */
  restart(): void {
    if (this.state === null) return;
    this.abort?.abort();
    void this.run();
  }

  private async run(): Promise<void> {
    const abort = new AbortController();
    this.abort = abort;
    while (!abort.signal.aborted) {
      const topics = this.options.topics();
      try {
        // The first answer comes at once, so that the page knows whether polling works.
        const wait_s = (this.state?.answered_at_ms ?? null) === null ? 0 : WAIT_S;
        const answer = await this.options.poll({ topics, since: cursorOf(topics, this.options.position), wait_s }, abort.signal);
        // A poll that the socket overtook while its answer was on the way: the socket's recovery brings the same messages.
        // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- aborted during the await
        if (abort.signal.aborted) return;
        this.took(answer);
        if (topics.length === 0) await pause(EMPTY_POLL_MS, abort.signal);
      } catch (error) {
        // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- as above
        if (abort.signal.aborted) return;
        if (this.state !== null) this.say({ ...this.state, failure: error instanceof Error ? error.message : 'failed' });
        await pause(RETRY_MS, abort.signal);
      }
    }
  }

  private took(answer: Json): void {
    const body: JsonObject = isObject(answer) ? answer : {};
    const messages = objects(body.messages).flatMap((item) => {
      const frame = frameOf(item);
      return frame === null ? [] : messagesOf(frame);
    });
    this.options.take(objects(body.topics), messages);
    if (this.state === null) return;
    const { answers, messages: before } = this.state;
    this.say({ ...this.state, answered_at_ms: Date.now(), answers: answers + 1, messages: before + messages.length, failure: null });
  }

  private say(state: Fallback): void {
    this.state = state;
    this.options.changed(state);
  }
}

function objects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function pause(delay_ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, delay_ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
