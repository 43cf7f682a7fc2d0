import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ACK_DELAY_MS } from './acknowledger';
import type { JsonObject } from './envelope';
import { FakeHub } from './fakeHub';
import { FALLBACK_AFTER_MS, RETRY_MS } from './longPoll';
import { CATCH_UP_LIMIT_MS } from './recovery';

const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
const EPOCH = { epoch: 'e1' };

let hub: FakeHub;
let seen: unknown[];

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2026-11-21T10:00:00Z') });
  hub = new FakeHub();
  seen = [];
});

afterEach(() => {
  hub.socket.stop('test');
  vi.useRealTimers();
});

/** Connected, and `events` subscribed at offset 5. */
async function live(): Promise<void> {
  hub.socket.subscribe('events', (message) => seen.push(message.payload));
  hub.socket.start();
  await settle();
  hub.greet();
  answer({ offset: 5 });
  await settle();
}

function answer(entry: JsonObject): void {
  const request = hub.requests('subscribe').at(-1);
  hub.push('subscribed', { topics: [{ topic: 'events', ...EPOCH, ...entry }] }, { reply_to: request?.id ?? '' });
}

function message(offset: number, topic = 'events'): void {
  hub.push('message', { n: offset }, { topic, offset, ...EPOCH });
}

async function reconnect(): Promise<void> {
  hub.end.events.closed(1012);
  await vi.advanceTimersByTimeAsync(250);
  hub.greet();
  await settle();
}

describe('recovery', () => {
  it('asks for what was missed, is syncing until the last of it is there, and drops what comes twice', async () => {
    await live();
    message(6);
    await reconnect();
    expect(hub.topicsAsked()).toEqual([{ topic: 'events', recover: { epoch: 'e1', offset: 6 } }]);
    answer({ offset: 8, recovered: true, recovered_count: 2 });
    await settle();
    expect(hub.socket.state().phase).toBe('syncing');
    message(6);
    message(7);
    expect(hub.socket.state().phase).toBe('syncing');
    message(8);
    expect(hub.socket.state()).toMatchObject({ phase: 'live', recovery: { topics: 1, recovered: 1, lost: [], messages: 2 } });
    expect(seen).toEqual([{ n: 6 }, { n: 7 }, { n: 8 }]);
    expect(hub.socket.tally()).toMatchObject({ gaps: 0, duplicates: 1 });
  });

  it('says what could not be recovered, and goes on from where the topic is', async () => {
    await live();
    const lost: string[] = [];
    hub.socket.onLoss((topic) => lost.push(topic));
    await reconnect();
    answer({ epoch: 'e2', offset: 3, recovered: false, recovered_count: 0 });
    await settle();
    expect(lost).toEqual(['events']);
    expect(hub.socket.state()).toMatchObject({ phase: 'live', recovery: { recovered: 0, lost: ['events'] } });
    hub.push('message', { n: 4 }, { topic: 'events', offset: 4, epoch: 'e2' });
    expect(hub.socket.tally('events')).toMatchObject({ gaps: 0, duplicates: 0, not_recovered: 1 });
  });

  it('is over after a while although the hub announced more', async () => {
    await live();
    await reconnect();
    answer({ offset: 50, recovered: true, recovered_count: 45 });
    hub.push('pong', {});
    await vi.advanceTimersByTimeAsync(CATCH_UP_LIMIT_MS);
    expect(hub.socket.state().phase).toBe('live');
  });

  it('reads batches on the same path', async () => {
    await live();
    const items = [6, 7, 9].map((offset) => ({ id: String(offset), offset, payload: { n: offset } }));
    hub.push('batch', { items }, { topic: 'events', first_offset: 6, count: 3, ...EPOCH });
    expect(seen).toEqual([{ n: 6 }, { n: 7 }, { n: 9 }]);
    expect(hub.socket.tally('events')).toMatchObject({ received: 3, gaps: 1 });
    hub.push('lagged', { topic: 'events', dropped: 1, conflated: 0 });
    expect(hub.socket.tally('events')).toMatchObject({ gaps: 0, declared: 1 });
  });
});

describe('the offline queue', () => {
  it('is acknowledged together, also what came twice, and tells what the hub had to drop', async () => {
    await live();
    message(1, 'client:console-1');
    message(2, 'client:console-1');
    hub.push('message', {}, { topic: 'user:ada', offset: 9, epoch: 'e1', dropped: 4 });
    await vi.advanceTimersByTimeAsync(ACK_DELAY_MS);
    expect(hub.requests('ack').map((request) => request.payload)).toEqual([{ topic: 'client:console-1', offset: 2 }, { topic: 'user:ada', offset: 9 }]);
    message(2, 'client:console-1');
    await vi.advanceTimersByTimeAsync(ACK_DELAY_MS);
    expect(hub.requests('ack')).toHaveLength(3);
    expect(hub.socket.state().dropped_by_hub).toBe(4);
    expect(hub.socket.tally('client:console-1')).toMatchObject({ received: 2, duplicates: 1 });
  });
});

describe('flow', () => {
  it('holds publishing back, in order, and lets everything else through', async () => {
    await live();
    hub.push('flow', { max_rate_hz: 2, pause_ms: 1_000, reason: 'streaming is degraded' });
    for (const n of [1, 2]) void hub.socket.request('publish', { topic: 'events', data: n }).catch(() => undefined);
    expect(hub.socket.state()).toMatchObject({ flow: { max_rate_hz: 2 }, waiting: [{}, {}] });
    await vi.advanceTimersByTimeAsync(999);
    expect(hub.requests('publish')).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(hub.requests('publish')).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(500);
    expect(hub.requests('publish').map((request) => request.payload.data)).toEqual([1, 2]);
    expect(hub.socket.state().waiting).toHaveLength(0);
  });
});

describe('without a socket', () => {
  it('polls from where the socket stood, and the socket goes on from where the polls were', async () => {
    await live();
    message(6);
    hub.freshness = 'unreachable';
    hub.end.events.closed(1006);
    await vi.advanceTimersByTimeAsync(FALLBACK_AFTER_MS);
    expect(hub.polls[0]?.request).toEqual({ topics: ['events'], since: 'v1~events~e1~6', wait_s: 0 });
    const frame = { type: 'message', id: 'm', timestamp: '', payload: { n: 7 }, metadata: { topic: 'events', offset: 7, ...EPOCH } };
    hub.polls[0]?.answer({ messages: [frame], cursor: 'v1~events~e1~7', topics: [{ topic: 'events', ...EPOCH, offset: 7, recovered: true }] });
    await settle();
    expect(seen).toEqual([{ n: 6 }, { n: 7 }]);
    expect(hub.socket.state()).toMatchObject({ fallback: { answers: 1, messages: 1, failure: null } });
    expect(hub.polls[1]?.request).toMatchObject({ since: 'v1~events~e1~7' });
    hub.freshness = 'ok';
    hub.socket.retryNow();
    await settle();
    hub.greet();
    expect(hub.polls[1]?.signal.aborted).toBe(true);
    expect(hub.socket.state().fallback).toBeNull();
    expect(hub.topicsAsked()).toEqual([{ topic: 'events', recover: { epoch: 'e1', offset: 7 } }]);
    expect(hub.socket.tally()).toMatchObject({ gaps: 0, duplicates: 0 });
  });

  it('says why a poll failed and asks again', async () => {
    hub.freshness = 'unreachable';
    hub.socket.subscribe('events', () => undefined);
    hub.socket.start();
    await vi.advanceTimersByTimeAsync(FALLBACK_AFTER_MS);
    expect(hub.polls[0]?.request.since).toBeUndefined();
    hub.polls[0]?.fail(new Error('The hub cannot be reached'));
    await settle();
    expect(hub.socket.state().fallback).toMatchObject({ failure: 'The hub cannot be reached', answers: 0 });
    await vi.advanceTimersByTimeAsync(RETRY_MS);
    hub.polls[1]?.answer({ messages: [], cursor: '', topics: [{ topic: 'events', ...EPOCH, offset: 3, recovered: false }] });
    await settle();
    expect(hub.polls[2]?.request.since).toBe('v1~events~e1~3');
    expect(hub.socket.tally('events').not_recovered).toBe(0);
  });

  it('is told by a poll what could not be recovered', async () => {
    await live();
    hub.freshness = 'unreachable';
    hub.end.events.closed(1006);
    await vi.advanceTimersByTimeAsync(FALLBACK_AFTER_MS);
    const lost: string[] = [];
    hub.socket.onLoss((topic) => lost.push(topic));
    const frame = { type: 'message', id: 'm', timestamp: '', payload: { n: 41 }, metadata: { topic: 'events', offset: 41, epoch: 'e2' } };
    hub.polls[0]?.answer({ messages: [frame], cursor: '', topics: [{ topic: 'events', epoch: 'e2', offset: 41, recovered: false }] });
    await settle();
    expect(lost).toEqual(['events']);
    expect(hub.socket.tally('events')).toMatchObject({ gaps: 0, not_recovered: 1, received: 1 });
  });
});

it('frames written by hand get an id and their answer, and text that is no frame goes out as it is', async () => {
  await live();
  const { outgoing, reply } = hub.socket.requestRaw('{"type":"ping","t":1}');
  expect(JSON.parse(outgoing.raw)).toEqual({ type: 'ping', t: 1, id: outgoing.id });
  hub.push('pong', { t: 1 }, { reply_to: outgoing.id });
  await expect(reply).resolves.toMatchObject({ type: 'pong' });
  expect(hub.socket.state().round_trip_ms).toBeNull();
  expect(hub.socket.requestRaw('nonsense').reply).toBeNull();
  expect(hub.unreadable).toEqual(['nonsense']);
});
