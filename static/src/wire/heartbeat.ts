import { isObject, number, type Frame } from './envelope';
import { skewOf } from './control';

export const PING_INTERVAL_MS = 15_000;
export const SILENCE_LIMIT_MS = 10_000;

/** Application pings: they measure the round trip and find sockets whose other end is silently gone. */
export class Heartbeat {
  private interval: ReturnType<typeof setInterval> | null = null;
  private deadline: ReturnType<typeof setTimeout> | null = null;
  private sent_ms: number | null = null;

  constructor(
    private readonly ping: (t: number) => void,
    private readonly lost: () => void,
  ) {}

  start(): void {
    this.stop();
    this.beat();
    this.interval = setInterval(() => this.beat(), PING_INTERVAL_MS);
  }

  stop(): void {
    if (this.interval !== null) clearInterval(this.interval);
    this.interval = null;
    this.heard();
  }

  /** Any frame shows that the other end is there. */
  heard(): void {
    if (this.deadline !== null) clearTimeout(this.deadline);
    this.deadline = null;
  }

  /** What the answer to the last ping says; nothing for the answer to a ping that somebody sent by hand. */
  measured(pong: Frame): { round_trip_ms?: number; clock_skew_ms?: number } {
    const sent_ms = isObject(pong.payload) ? number(pong.payload.t) : null;
    if (sent_ms === null || sent_ms !== this.sent_ms) return {};
    const round_trip_ms = Math.max(0, Date.now() - sent_ms);
    const clock_skew_ms = skewOf(pong.timestamp, sent_ms + round_trip_ms / 2);
    return clock_skew_ms === null ? { round_trip_ms } : { round_trip_ms, clock_skew_ms };
  }

  private beat(): void {
    this.sent_ms = Date.now();
    this.ping(this.sent_ms);
    this.deadline ??= setTimeout(() => this.lost(), SILENCE_LIMIT_MS);
  }
}
