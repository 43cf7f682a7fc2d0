import type { Freshness } from '../wire/connector';
import { ApiError, problemOf, unreachable } from './problem';

export interface Grant {
  readonly access_token: string | null;
  readonly expires_at: string | null;
  readonly subject: string;
  readonly role: string;
}

export type AuthState =
  | { readonly kind: 'starting' }
  | { readonly kind: 'signed_out'; readonly reason: string | null }
  | { readonly kind: 'unreachable' }
  | { readonly kind: 'signed_in'; readonly grant: Grant };

/** A token with less life than this is renewed before it is used. */
export const FRESH_FOR_MS = 60_000;
const BASE = '/api/v1/connections';

/** Who is signed in. The access token lives in memory only; the refresh token is a cookie that scripts cannot read. */
export class AuthSession {
  private current: AuthState = { kind: 'starting' };
  private renewing: Promise<Freshness> | null = null;
  private readonly watchers = new Set<() => void>();

  state = (): AuthState => this.current;

  watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  token(): string | null {
    return this.current.kind === 'signed_in' ? this.current.grant.access_token : null;
  }

  /** Signs in from a one-time login token, or else from the refresh cookie. */
  async begin(login_token: string | null): Promise<void> {
    this.set({ kind: 'starting' });
    if (login_token !== null) {
      try {
        this.accept(await post('exchange', { token: login_token }));
        return;
      } catch (error) {
        if (error instanceof ApiError && error.unreachable) {
          this.set({ kind: 'unreachable' });
          return;
        }
        // A link is good once. Whoever opens it again may still have the cookie of the first time.
        const outcome = await this.ensureFresh(true);
        if (outcome === 'denied') this.set({ kind: 'signed_out', reason: 'That login link was used before or has expired.' });
        return;
      }
    }
    await this.ensureFresh(true);
  }

  async login(username: string, password: string): Promise<void> {
    this.accept(await post('login', { username, password, cookie: true }));
  }

  async logout(): Promise<void> {
    const token = this.token();
    this.set({ kind: 'signed_out', reason: null });
    await post('logout', {}, token).catch(() => undefined);
  }

  /** Renews the access token when it is about to expire, or in any case with `force`; parallel calls share one request. */
  ensureFresh(force: boolean): Promise<Freshness> {
    if (!force && this.isFresh()) return Promise.resolve('ok');
    this.renewing ??= this.renew().finally(() => (this.renewing = null));
    return this.renewing;
  }

  private isFresh(): boolean {
    if (this.current.kind !== 'signed_in') return false;
    const expires_at = this.current.grant.expires_at;
    return expires_at === null || Date.parse(expires_at) - Date.now() > FRESH_FOR_MS;
  }

  private async renew(): Promise<Freshness> {
    try {
      this.accept(await exclusively(() => post('refresh', {})));
      return 'ok';
    } catch (error) {
      if (error instanceof ApiError && (error.status === 401 || error.status === 403 || error.status === 400)) {
        const reason = this.current.kind === 'signed_in' ? 'Your session has ended. Sign in again.' : null;
        this.set({ kind: 'signed_out', reason });
        return 'denied';
      }
      if (this.current.kind === 'starting') this.set({ kind: 'unreachable' });
      return 'unreachable';
    }
  }

  private accept(grant: Grant): void {
    this.set({ kind: 'signed_in', grant });
  }

  private set(state: AuthState): void {
    this.current = state;
    for (const watcher of this.watchers) watcher();
  }
}

/**
 * Refresh tokens rotate and a used one revokes them all, so the tabs of one browser take turns. Browsers offer locks
 * on secure origins only (https and loopback).
 */
async function exclusively<T>(action: () => Promise<T>): Promise<T> {
  const locks = (navigator as { locks?: LockManager }).locks;
  return locks === undefined ? action() : locks.request('infrawatch.refresh', action);
}

async function post(path: string, body: object, token: string | null = null): Promise<Grant> {
  let response: Response;
  try {
    response = await fetch(`${BASE}/${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    });
  } catch {
    throw unreachable();
  }
  if (!response.ok) throw await problemOf(response);
  if (response.status === 204) return { access_token: null, expires_at: null, subject: '', role: '' };
  const grant = (await response.json()) as Partial<Grant>;
  return {
    access_token: grant.access_token ?? null,
    expires_at: grant.expires_at ?? null,
    subject: grant.subject ?? '',
    role: grant.role ?? '',
  };
}
