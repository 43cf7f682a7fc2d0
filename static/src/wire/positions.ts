import type { Message } from './envelope';

/** Where a subscriber stands in a topic. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** Of a `log` topic every offset comes; of a `latest` topic only the newest message of each key has to. */
export type TopicClass = 'log' | 'latest';

/** What happened to the messages of a topic since the page was opened. */
export interface Tally {
  readonly received: number;
  /** Came a second time and were dropped here. */
  readonly duplicates: number;
  /** Offsets that were skipped and that no `lagged` of the hub accounts for. */
  readonly gaps: number;
  /** What the hub said it left out, because this browser read too slowly. */
  readonly declared: number;
  readonly conflated: number;
  /** How often the hub could not give what was missed, so that a snapshot had to be read. */
  readonly not_recovered: number;
}

interface Track {
  epoch: string | null;
  offset: number;
  kind: TopicClass;
  /** Newest offset of each key; of `latest` topics alone. */
  readonly keys: Map<string, number>;
  received: number;
  duplicates: number;
  skipped: number;
  declared: number;
  conflated: number;
  not_recovered: number;
}

/** Keys of a topic that are told apart; beyond, the oldest is forgotten. */
const KEYS_BOUND = 5_000;

/** The class of the hub's own topics, for a hub that does not say it. */
export function classOf(topic: string): TopicClass {
  return topic === 'metrics_update' || topic.startsWith('metrics:') ? 'latest' : 'log';
}

/** Positions in every topic, and whether what arrives follows what is there. */
export class Positions {
  private readonly tracks = new Map<string, Track>();
  private readonly classes = new Map<string, TopicClass>();

  of(topic: string): Position | null {
    const { epoch = null, offset = 0 } = this.tracks.get(topic) ?? {};
    return epoch === null ? null : { epoch, offset };
  }

  /** Starts anew from where the hub says the topic stands. `lost`: what came before could not be given. */
  restart(topic: string, position: Position, kind: TopicClass, lost: boolean): void {
    const track = this.track(topic);
    track.epoch = position.epoch;
    track.offset = position.offset;
    track.kind = kind;
    track.keys.clear();
    if (lost) track.not_recovered += 1;
  }

  /** What somebody else read of the class of a topic; the hub does not say it when one subscribes. */
  learn(topic: string, kind: TopicClass): void {
    this.classes.set(topic, kind);
    const track = this.tracks.get(topic);
    if (track !== undefined) track.kind = kind;
  }

  /** The class of a topic as far as it is known. */
  kindOf(topic: string): TopicClass {
    return this.classes.get(topic) ?? classOf(topic);
  }

  /** The topic is no longer subscribed: it begins anew next time, its counts stay. */
  forget(topic: string): void {
    const track = this.tracks.get(topic);
    if (track === undefined) return;
    track.epoch = null;
    track.keys.clear();
  }

  /** Takes note of a message; false when it was there before. */
  accept(message: Message): boolean {
    const track = this.track(message.topic);
    const { epoch, offset } = message;
    if (offset === null || epoch === null) {
      track.received += 1;
      return true;
    }
    if (track.epoch !== epoch) {
      // A memory topic that crashed begins a new epoch under its subscribers.
      if (track.epoch !== null) track.not_recovered += 1;
      track.keys.clear();
      track.epoch = epoch;
      track.offset = offset - 1;
    }
    if (track.kind === 'log' ? offset <= track.offset : offset <= (track.keys.get(message.key ?? '') ?? 0)) {
      track.duplicates += 1;
      return false;
    }
    if (track.kind === 'log') track.skipped += offset - track.offset - 1;
    else remember(track.keys, message.key ?? '', offset);
    track.offset = Math.max(track.offset, offset);
    track.received += 1;
    return true;
  }

  /** The hub says that it left messages out. */
  lagged(topic: string, dropped: number, conflated: number): void {
    const track = this.track(topic);
    track.declared += dropped;
    track.conflated += conflated;
  }

  tally(topic: string): Tally {
    return tallyOf(this.tracks.get(topic));
  }

  /** Over all topics. */
  total(): Tally {
    const total = { received: 0, duplicates: 0, gaps: 0, declared: 0, conflated: 0, not_recovered: 0 };
    for (const track of this.tracks.values()) {
      const tally = tallyOf(track);
      for (const name of Object.keys(total) as (keyof Tally)[]) total[name] += tally[name];
    }
    return total;
  }

  topics(): string[] {
    return [...this.tracks.keys()];
  }

  private track(topic: string): Track {
    let track = this.tracks.get(topic);
    if (track === undefined) {
      track = {
        epoch: null, offset: 0, kind: this.kindOf(topic), keys: new Map(),
        received: 0, duplicates: 0, skipped: 0, declared: 0, conflated: 0, not_recovered: 0,
      };
      this.tracks.set(topic, track);
    }
    return track;
  }
}

function remember(keys: Map<string, number>, key: string, offset: number): void {
  keys.delete(key);
  keys.set(key, offset);
  if (keys.size <= KEYS_BOUND) return;
  for (const oldest of keys.keys()) {
    keys.delete(oldest);
    return;
  }
}

function tallyOf(track: Track | undefined): Tally {
  if (track === undefined) return { received: 0, duplicates: 0, gaps: 0, declared: 0, conflated: 0, not_recovered: 0 };
  const { received, duplicates, skipped, declared, conflated, not_recovered } = track;
  // `lagged` may come before or after the hole that it explains.
  return { received, duplicates, gaps: Math.max(0, skipped - declared), declared, conflated, not_recovered };
}
