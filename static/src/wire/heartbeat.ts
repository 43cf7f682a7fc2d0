import { isObject, number, type Frame } from './envelope';
import { skewOf } from './control';

export const PING_INTERVAL_MS = 15_000;
export const SILENCE_LIMIT_MS = 10_000;

/** Application pings: they measure the round trip and find sockets whose other end is silently gone. */
export class Heartbeat {
  private interval: ReturnType<typeof setInterval> | null = null;
  private deadline: ReturnType<typeof setTimeout> | null = null;

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

  measured(pong: Frame): { round_trip_ms: number | null; clock_skew_ms?: number } {
    const sent_ms = isObject(pong.payload) ? number(pong.payload.t) : null;
    if (sent_ms === null) return { round_trip_ms: null };
    const round_trip_ms = Math.max(0, Date.now() - sent_ms);
    const clock_skew_ms = skewOf(pong.timestamp, sent_ms + round_trip_ms / 2);
    return clock_skew_ms === null ? { round_trip_ms } : { round_trip_ms, clock_skew_ms };
  }

  private beat(): void {
    this.ping(Date.now());
    this.deadline ??= setTimeout(() => this.lost(), SILENCE_LIMIT_MS);
  }
}
