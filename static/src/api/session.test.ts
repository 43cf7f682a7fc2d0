import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiClient } from './client';
import { ApiError } from './problem';
import { AuthSession } from './session';

interface Call {
  readonly path: string;
  readonly init: RequestInit;
}

const calls: Call[] = [];
let answers: (Response | Error)[] = [];

function json(status: number, body: object, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers });
}

function grant(token: string, life_ms = 900_000): Response {
  return json(200, { access_token: token, expires_at: new Date(Date.now() + life_ms).toISOString(), subject: 'ada', role: 'admin' });
}

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2026-11-21T10:00:00Z') });
  calls.length = 0;
  vi.stubGlobal('fetch', (path: string, init: RequestInit) => {
    calls.push({ path, init });
    const answer = answers.shift() ?? new Error('no answer was prepared');
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  });
  vi.stubGlobal('navigator', {});
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const paths = (): string[] => calls.map((call) => call.path.replace('/api/v1/connections/', ''));

describe('beginning', () => {
  it('exchanges the token of a login link', async () => {
    answers = [grant('a')];
    const session = new AuthSession();
    await session.begin('once');
    expect(paths()).toEqual(['exchange']);
    expect(calls[0]?.init.body).toBe('{"token":"once"}');
    expect(session.token()).toBe('a');
  });

  it('falls back on the cookie when the link was used before', async () => {
    answers = [json(401, {}), grant('b')];
    const session = new AuthSession();
    await session.begin('used');
    expect(paths()).toEqual(['exchange', 'refresh']);
    expect(session.token()).toBe('b');
  });

  it('says that the link is spent when there is no cookie either', async () => {
    answers = [json(401, {}), json(401, {})];
    const session = new AuthSession();
    await session.begin('used');
    expect(session.state()).toEqual({ kind: 'signed_out', reason: 'That login link was used before or has expired.' });
  });

  it('knows an unreachable hub from a refused session', async () => {
    answers = [new Error('refused')];
    const session = new AuthSession();
    await session.begin(null);
    expect(session.state().kind).toBe('unreachable');
  });
});

describe('renewing', () => {
  it('happens once for parallel callers, and not while the token is fresh', async () => {
    answers = [grant('a'), grant('b')];
    const session = new AuthSession();
    await session.begin(null);
    expect(await session.ensureFresh(false)).toBe('ok');
    expect(calls).toHaveLength(1);
    vi.advanceTimersByTime(850_000);
    await Promise.all([session.ensureFresh(false), session.ensureFresh(false), session.ensureFresh(true)]);
    expect(calls).toHaveLength(2);
    expect(session.token()).toBe('b');
  });

  it('keeps the person signed in while the hub is away, and signs out when it refuses', async () => {
    answers = [grant('a'), new Error('refused'), json(401, {})];
    const session = new AuthSession();
    await session.begin(null);
    expect(await session.ensureFresh(true)).toBe('unreachable');
    expect(session.token()).toBe('a');
    expect(await session.ensureFresh(true)).toBe('denied');
    expect(session.state()).toEqual({ kind: 'signed_out', reason: 'Your session has ended. Sign in again.' });
  });
});

it('passes on what a refused login says', async () => {
  answers = [json(429, { title: 'Too many requests', code: 'rate_limited' }, { 'retry-after': '7' })];
  const error: unknown = await new AuthSession().login('ada', 'wrong').catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ status: 429, code: 'rate_limited', retry_after_s: 7 });
});

it('signs out at once and revokes with the token it had', async () => {
  answers = [grant('a'), new Response(null, { status: 204 })];
  const session = new AuthSession();
  await session.begin(null);
  const done = session.logout();
  expect(session.state()).toEqual({ kind: 'signed_out', reason: null });
  await done;
  expect(calls[1]?.init.headers).toMatchObject({ authorization: 'Bearer a' });
});

describe('REST calls', () => {
  it('renew the token once after a 401 and repeat', async () => {
    answers = [grant('a'), json(401, {}), grant('b'), json(200, { ok: true })];
    const session = new AuthSession();
    await session.begin(null);
    expect(await new ApiClient(session).get('/api/v1/nodes', { limit: 5 })).toEqual({ ok: true });
    expect(calls.slice(1).map((call) => call.path)).toEqual(['/api/v1/nodes?limit=5', '/api/v1/connections/refresh', '/api/v1/nodes?limit=5']);
    expect(calls[3]?.init.headers).toMatchObject({ authorization: 'Bearer b' });
  });

  it('read the report of an unhealthy hub, but no other 503', async () => {
    answers = [grant('a'), json(503, { status: 'unhealthy' }), json(503, { title: 'Draining' })];
    const session = new AuthSession();
    await session.begin(null);
    const api = new ApiClient(session);
    expect(await api.get('/api/health')).toEqual({ status: 'unhealthy' });
    await expect(api.get('/api/v1/nodes')).rejects.toMatchObject({ status: 503, title: 'Draining' });
  });
});
