import type { Credentials, Freshness, SocketEvents } from './connector';
import { isObject, type Json, type JsonObject, type Request } from './envelope';
import { HubSocket } from './hubSocket';
import type { PollRequest } from './longPoll';

/** A hub's end of the sockets that a `HubSocket` opens, driven by hand; for tests. */
export class FakeHub {
  readonly opened: { protocols: string[]; events: SocketEvents; sent: Request[]; closed_with: number | undefined }[] = [];
  readonly refreshes: boolean[] = [];
  /** What was sent that is no frame. */
  readonly unreadable: string[] = [];
  readonly polls: { request: PollRequest; signal: AbortSignal; answer: (body: Json) => void; fail: (error: Error) => void }[] = [];
  freshness: Freshness = 'ok';
  access_token: string | null = 'token-1';

  private ids = 0;

  readonly socket: HubSocket;

  constructor(random = 0.5) {
    const credentials: Credentials = {
      token: () => this.access_token,
      ensureFresh: (force) => {
        this.refreshes.push(force);
        return Promise.resolve(this.freshness);
      },
    };
    this.socket = new HubSocket({
      credentials,
      client_id: 'console-1',
      random: () => random,
      poll: (request, signal) => new Promise((answer, fail) => void this.polls.push({ request, signal, answer, fail })),
      newId: () => `request-${++this.ids}`,
      open: (_client_id, protocols, events) => {
        const end = { protocols, events, sent: [] as Request[], closed_with: undefined as number | undefined };
        this.opened.push(end);
        return {
          send: (data) => {
            if (data.startsWith('{')) end.sent.push(JSON.parse(data) as Request);
            else this.unreadable.push(data);
          },
          close: (code) => void (end.closed_with = code),
        };
      },
    });
  }

  get end(): FakeHub['opened'][number] {
    const end = this.opened.at(-1);
    if (end === undefined) throw new Error('no socket was opened');
    return end;
  }

  push(type: string, payload: JsonObject = {}, metadata: JsonObject = {}): void {
    this.end.events.message(JSON.stringify({ version: 1, type, id: 'hub', timestamp: new Date().toISOString(), payload, metadata }));
  }

  greet(): void {
    this.push('connected', { client_id: 'console-1', role: 'admin', subject: 'ada', hub: { version: '1', node: 'host' } });
  }

  /** Sent requests of a type on the present socket. */
  requests(type: string): Request[] {
    return this.end.sent.filter((request) => request.type === type);
  }

  /** Answers every subscribe request that has not been answered. */
  confirm(): void {
    for (const request of this.requests('subscribe')) this.push('subscribed', { topics: [] }, { reply_to: request.id });
  }

  topicsAsked(): unknown[] {
    return this.requests('subscribe').flatMap((request) => (isObject(request.payload) ? request.payload.topics : []) as unknown[]);
  }
}
