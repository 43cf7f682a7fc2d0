import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeHub } from './fakeHub';
import { PING_INTERVAL_MS, SILENCE_LIMIT_MS } from './heartbeat';
import { OPEN_TIMEOUT_MS } from './connector';
import { RequestError } from './pendingRequests';
import { OUTBOX_BOUND } from './sender';
import { LEAVE_DELAY_MS } from './subscriptions';

/** Lets promises settle without moving the clock. */
const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
const nothing = (): void => undefined;

let hub: FakeHub;

async function live(): Promise<void> {
  hub.socket.start();
  await settle();
  hub.greet();
  hub.confirm();
  await settle();
}

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2026-11-21T10:00:00Z') });
  hub = new FakeHub();
});

afterEach(() => {
  hub.socket.stop('test');
  vi.useRealTimers();
});

describe('opening', () => {
  it('offers the protocol and the bearer, and is live once every topic is confirmed', async () => {
    hub.socket.subscribe('metrics_update', nothing);
    hub.socket.subscribe('nodes', nothing);
    hub.socket.start();
    expect(hub.socket.state().phase).toBe('connecting');
    await settle();
    expect(hub.end.protocols).toEqual(['infrawatch.v1.json', 'bearer.token-1']);
    hub.greet();
    await settle();
    expect(hub.socket.state().phase).toBe('syncing');
    expect(hub.topicsAsked()).toEqual(['metrics_update', 'nodes']);
    hub.push('subscribed', {}, { reply_to: hub.requests('subscribe')[0]?.id ?? '' });
    await settle();
    expect(hub.socket.state().phase).toBe('syncing');
    hub.confirm();
    await settle();
    expect(hub.socket.state().phase).toBe('live');
    expect(hub.socket.state().hello).toMatchObject({ subject: 'ada', hub_node: 'host' });
  });

  it('offers no bearer where the hub asks for none', async () => {
    hub.access_token = null;
    hub.socket.start();
    await settle();
    expect(hub.end.protocols).toEqual(['infrawatch.v1.json']);
  });

  it('gives up on a socket that never says hello', async () => {
    hub.socket.start();
    await vi.advanceTimersByTimeAsync(OPEN_TIMEOUT_MS);
    expect(hub.socket.state()).toMatchObject({ phase: 'offline', attempt: 1 });
    expect(hub.end.closed_with).toBe(1000);
  });

  it('goes live although the hub refuses a topic', async () => {
    hub.socket.subscribe('alerts_critical', nothing);
    hub.socket.start();
    await settle();
    hub.greet();
    hub.push('error', { code: 'forbidden', message: 'no', retryable: false }, { reply_to: hub.requests('subscribe')[0]?.id ?? '' });
    await settle();
    expect(hub.socket.state().phase).toBe('live');
  });
});

describe('closing', () => {
  it('waits with growing full jitter and says when it tries again', async () => {
    await live();
    for (const [attempt, delay_ms] of [[1, 250], [2, 500], [3, 1_000]] as const) {
      hub.end.events.closed(1006);
      const state = hub.socket.state();
      expect(state).toMatchObject({ phase: 'offline', attempt, retry_at_ms: Date.now() + delay_ms });
      const opened = hub.opened.length;
      await vi.advanceTimersByTimeAsync(delay_ms - 1);
      expect(hub.opened).toHaveLength(opened);
      await vi.advanceTimersByTimeAsync(1);
      expect(hub.opened).toHaveLength(opened + 1);
    }
    hub.greet();
    await settle();
    expect(hub.socket.state()).toMatchObject({ phase: 'live', attempt: 0, reconnects: 1 });
  });

  it.each([4001, 4003, 4400])('stops after %i until somebody asks', async (code) => {
    await live();
    hub.end.events.closed(code);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(hub.socket.state()).toMatchObject({ phase: 'stopped', retry_at_ms: null });
    expect(hub.opened).toHaveLength(1);
    hub.socket.retryNow();
    await settle();
    expect(hub.opened).toHaveLength(2);
  });

  it('gets a new token after 4009 and connects at once', async () => {
    await live();
    hub.access_token = 'token-2';
    hub.end.events.closed(4009);
    await settle();
    expect(hub.refreshes.at(-1)).toBe(true);
    expect(hub.end.protocols).toContain('bearer.token-2');
  });

  it('stops when the session is over', async () => {
    await live();
    hub.freshness = 'denied';
    hub.end.events.closed(4009);
    await settle();
    expect(hub.socket.state()).toMatchObject({ phase: 'stopped', reason: 'Signed out' });
  });

  it('waits out the hint of a drain', async () => {
    await live();
    hub.push('draining', { reconnect_after_ms: 3_000 });
    expect(hub.socket.state().phase).toBe('draining');
    hub.end.events.closed(1012);
    expect(hub.socket.state().retry_at_ms).toBe(Date.now() + 3_250);
    await vi.advanceTimersByTimeAsync(3_249);
    expect(hub.opened).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(hub.opened).toHaveLength(2);
  });

  it('backs off further after too many requests', async () => {
    await live();
    hub.end.events.closed(4029);
    expect(hub.socket.state().retry_at_ms).toBe(Date.now() + 4_000);
  });

  it('asks for a new token after two sockets that closed before hello', async () => {
    hub.socket.start();
    await settle();
    hub.end.events.closed(1006);
    await vi.advanceTimersByTimeAsync(250);
    expect(hub.refreshes).toEqual([false, false]);
    hub.end.events.closed(1006);
    await vi.advanceTimersByTimeAsync(500);
    expect(hub.refreshes).toEqual([false, false, true]);
  });

  it('does not open a socket while the hub cannot be reached for a token', async () => {
    hub.freshness = 'unreachable';
    hub.socket.start();
    await settle();
    expect(hub.opened).toHaveLength(0);
    expect(hub.socket.state().phase).toBe('offline');
    hub.freshness = 'ok';
    await vi.advanceTimersByTimeAsync(250);
    expect(hub.opened).toHaveLength(1);
  });
});

describe('heartbeat', () => {
  it('measures the round trip and the clock of the hub', async () => {
    await live();
    const t = Date.now();
    await vi.advanceTimersByTimeAsync(40);
    hub.end.events.message(JSON.stringify({ type: 'pong', timestamp: new Date(t + 5_020).toISOString(), payload: { t } }));
    expect(hub.socket.state()).toMatchObject({ round_trip_ms: 40, clock_skew_ms: 5_000 });
  });

  it('finds a socket whose other end is silently gone', async () => {
    await live();
    hub.push('pong', { t: Date.now() });
    await vi.advanceTimersByTimeAsync(PING_INTERVAL_MS + SILENCE_LIMIT_MS - 1);
    expect(hub.socket.state().phase).toBe('live');
    await vi.advanceTimersByTimeAsync(1);
    expect(hub.socket.state().phase).toBe('offline');
    expect(hub.opened[0]?.closed_with).toBe(4010);
  });
});

describe('topics', () => {
  it('are counted by reference and left a little after the last listener', async () => {
    await live();
    const first = hub.socket.subscribe('nodes', nothing);
    const second = hub.socket.subscribe('nodes', nothing);
    expect(hub.topicsAsked()).toEqual(['nodes']);
    first();
    second();
    await vi.advanceTimersByTimeAsync(LEAVE_DELAY_MS - 1);
    const third = hub.socket.subscribe('nodes', nothing);
    await vi.advanceTimersByTimeAsync(LEAVE_DELAY_MS);
    expect(hub.requests('unsubscribe')).toHaveLength(0);
    expect(hub.topicsAsked()).toEqual(['nodes']);
    third();
    await vi.advanceTimersByTimeAsync(LEAVE_DELAY_MS);
    expect(hub.requests('unsubscribe')).toHaveLength(1);
  });

  it('deliver messages alone and in batches, and are asked for again after a reconnect', async () => {
    await live();
    const seen: unknown[] = [];
    hub.socket.subscribe('nodes', (message) => seen.push(message.payload));
    hub.push('message', { n: 1 }, { topic: 'nodes' });
    hub.push('message', { n: 9 }, { topic: 'other' });
    hub.push('batch', { items: [{ payload: { n: 2 } }, { payload: { n: 3 } }] }, { topic: 'nodes' });
    expect(seen).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    hub.end.events.closed(1006);
    await vi.advanceTimersByTimeAsync(250);
    hub.greet();
    expect(hub.topicsAsked()).toEqual(['nodes']);
  });
});

describe('requests', () => {
  it('resolve with their reply and reject with the error of the hub', async () => {
    await live();
    const joined = hub.socket.request('join_room', { room: 'ops' });
    const refused = hub.socket.request('join_room', { room: 'secret' });
    const [first, second] = hub.requests('join_room');
    hub.push('error', { code: 'forbidden', message: 'not yours', retryable: false }, { reply_to: second?.id ?? '' });
    hub.push('room_joined', { room: 'ops' }, { reply_to: first?.id ?? '' });
    await expect(joined).resolves.toMatchObject({ type: 'room_joined' });
    await expect(refused).rejects.toMatchObject({ code: 'forbidden', message: 'not yours' });
  });

  it('wait while offline, go out in order after the reconnect, and then resolve', async () => {
    const answered = hub.socket.request('room_message', { room: 'ops', data: 1 });
    void hub.socket.request('room_message', { room: 'ops', data: 2 }).catch(nothing);
    expect(hub.socket.state().waiting).toHaveLength(2);
    await live();
    expect(hub.socket.state().waiting).toHaveLength(0);
    const sent = hub.requests('room_message');
    expect(sent.map((request) => request.payload.data)).toEqual([1, 2]);
    hub.push('room_message_sent', { offset: 7 }, { reply_to: sent[0]?.id ?? '' });
    await expect(answered).resolves.toMatchObject({ payload: { offset: 7 } });
  });

  it('give up the oldest when the queue is full', async () => {
    const oldest = hub.socket.request('room_message', { data: 0 });
    const refused = expect(oldest).rejects.toMatchObject({ code: 'queue_full' });
    for (let index = 1; index <= OUTBOX_BOUND; index += 1) void hub.socket.request('room_message', { data: index }).catch(nothing);
    await refused;
    expect(hub.socket.state()).toMatchObject({ dropped: 1 });
    expect(hub.socket.state().waiting).toHaveLength(OUTBOX_BOUND);
  });

  it('that were on the wire when it broke are not repeated', async () => {
    await live();
    const lost = hub.socket.request('room_message', { data: 1 });
    const rejected = expect(lost).rejects.toBeInstanceOf(RequestError);
    hub.end.events.closed(1006);
    await rejected;
    await vi.advanceTimersByTimeAsync(250);
    hub.greet();
    expect(hub.requests('room_message')).toHaveLength(0);
  });
});

describe('what the hub says about itself', () => {
  it('is degraded until every subsystem has recovered', async () => {
    await live();
    hub.push('degraded', { subsystem: 'store', state: 'open' });
    hub.push('degraded', { subsystem: 'redis', state: 'open' });
    expect(hub.socket.state()).toMatchObject({ phase: 'degraded', degraded_subsystems: ['store', 'redis'] });
    hub.push('recovered', { subsystem: 'store' });
    expect(hub.socket.state().phase).toBe('degraded');
    hub.push('recovered', { subsystem: 'redis' });
    expect(hub.socket.state().phase).toBe('live');
  });

  it('renews an expiring token on the open connection', async () => {
    await live();
    hub.access_token = 'token-2';
    hub.push('token_expiring', { expires_at: '2026-11-21T10:01:00Z' });
    await settle();
    expect(hub.refreshes.at(-1)).toBe(true);
    expect(hub.requests('refresh')[0]?.payload).toEqual({ token: 'token-2' });
    expect(hub.opened).toHaveLength(1);
  });
});
