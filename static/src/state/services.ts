import { QueryClient } from '@tanstack/react-query';
import { ApiClient } from '../api/client';
import { ApiError } from '../api/problem';
import type { AuthSession } from '../api/session';
import { HubSocket, type SocketEvents, type SocketLike } from '../wire/hubSocket';
import { isFlowing } from '../wire/connectionState';
import { claimClientId, newId } from './clientId';
import { FleetStore } from './fleetStore';
import { SeriesStore } from './seriesStore';

/** Everything behind the views of one signed-in person. */
export interface Services {
  readonly session: AuthSession;
  readonly api: ApiClient;
  readonly queries: QueryClient;
  readonly socket: HubSocket;
  readonly series: SeriesStore;
  readonly fleet: FleetStore;
  /** Opens the socket; returns the function that closes it. */
  start(): () => void;
}

const NEWS_INTERVAL_MS = 1_000;

export function createServices(session: AuthSession, subject: string): Services {
  const api = new ApiClient(session);
  const queries = new QueryClient({
    defaultOptions: {
      queries: {
        // The hub may be on this very machine: the browser's idea of being online says nothing about it.
        networkMode: 'always',
        staleTime: 1_000,
        retry: (failures, error) => failures < 2 && error instanceof ApiError && error.status >= 500,
      },
      mutations: { networkMode: 'always' },
    },
  });
  const series = new SeriesStore(api);
  const rereadNodes = throttled(NEWS_INTERVAL_MS, () => void queries.invalidateQueries({ queryKey: ['nodes'] }));
  const fleet = new FleetStore(series, rereadNodes);
  const socket = new HubSocket({
    open: openSocket,
    credentials: session,
    client_id: claimClientId(subject),
    random: Math.random,
    newId,
  });
  return { session, api, queries, socket, series, fleet, start: () => start(socket, series, queries) };
}

function start(socket: HubSocket, series: SeriesStore, queries: QueryClient): () => void {
  let reconnects = 0;
  const unwatch = socket.watch(() => {
    const state = socket.state();
    if (state.reconnects === reconnects || !isFlowing(state.phase)) return;
    reconnects = state.reconnects;
    series.reload();
    void queries.invalidateQueries();
  });
  const online = (): void => socket.retryNow();
  addEventListener('online', online);
  socket.start();
  return () => {
    removeEventListener('online', online);
    unwatch();
    socket.stop('Signed out');
  };
}

function openSocket(client_id: string, protocols: string[], events: SocketEvents): SocketLike {
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  const socket = new WebSocket(`${scheme}://${location.host}/ws/${encodeURIComponent(client_id)}`, protocols);
  socket.onmessage = (event) => {
    if (typeof event.data === 'string') events.message(event.data);
  };
  socket.onclose = (event) => events.closed(event.code);
  return socket;
}

/** Runs `action` at most once per interval: at once, and once more at the end when it was asked for in between. */
function throttled(interval_ms: number, action: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | null = null;
  let again = false;
  const run = (): void => {
    action();
    timer = setTimeout(() => {
      timer = null;
      if (again) {
        again = false;
        run();
      }
    }, interval_ms);
  };
  return () => {
    if (timer === null) run();
    else again = true;
  };
}
