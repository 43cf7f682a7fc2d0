import type { AuthSession } from './session';
import { problemOf, unreachable } from './problem';

/** REST calls with the session's bearer token. A 401 renews the token once and repeats the call. */
export class ApiClient {
  constructor(private readonly session: AuthSession) {}

  get<T>(path: string, query: Record<string, string | number | undefined> = {}, signal?: AbortSignal): Promise<T> {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) parameters.set(name, String(value));
    }
    const suffix = parameters.size > 0 ? `?${parameters.toString()}` : '';
    return this.call<T>('GET', `${path}${suffix}`, signal);
  }

  post<T>(path: string, body: object = {}): Promise<T> {
    return this.call<T>('POST', path, undefined, body);
  }

  put<T>(path: string, body: object): Promise<T> {
    return this.call<T>('PUT', path, undefined, body);
  }

  /** A search: it changes nothing, and can be given up. */
  search<T>(path: string, body: object, signal: AbortSignal): Promise<T> {
    return this.call<T>('POST', path, signal, body);
  }

  /** What the hub answers as a file. */
  async download(path: string, body: object): Promise<Blob> {
    return (await this.answer('POST', path, undefined, body)).blob();
  }

  async delete(path: string): Promise<void> {
    await this.call('DELETE', path);
  }

  private async call<T>(method: string, path: string, signal?: AbortSignal, body?: object): Promise<T> {
    const response = await this.answer(method, path, signal, body);
    // Some answers say all by their status.
    const text = await response.text();
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  private async answer(method: string, path: string, signal?: AbortSignal, body?: object): Promise<Response> {
    let response = await this.send(method, path, signal, body);
    if (response.status === 401 && (await this.session.ensureFresh(true)) === 'ok') {
      response = await this.send(method, path, signal, body);
    }
    // An unhealthy hub answers its health check with 503 and the whole report.
    if (!response.ok && !(response.status === 503 && path === HEALTH_PATH)) throw await problemOf(response);
    return response;
  }

  private async send(method: string, path: string, signal?: AbortSignal, body?: object): Promise<Response> {
    await this.session.ensureFresh(false);
    const token = this.session.token();
    try {
      return await fetch(path, {
        method,
        headers: {
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw unreachable();
    }
  }
}

export const HEALTH_PATH = '/api/health';
