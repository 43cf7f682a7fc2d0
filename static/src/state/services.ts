import { QueryClient } from '@tanstack/react-query';
import { ApiClient, HEALTH_PATH } from '../api/client';
import type { Performance } from '../api/delivery';
import { PERFORMANCE_PATH } from '../api/deliveryQueries';
import { ApiError } from '../api/problem';
import type { AuthSession } from '../api/session';
import type { SocketEvents, SocketLike } from '../wire/connector';
import { isFlowing } from '../wire/connectionState';
import type { Json } from '../wire/envelope';
import { HubSocket } from '../wire/hubSocket';
import type { PollRequest } from '../wire/longPoll';
import { AlertStore } from './alertStore';
import { claimClientId, newId } from './clientId';
import { FleetStore } from './fleetStore';
import { FrameLog } from './frameLog';
import { LabStore } from './labStore';
import { SeriesStore } from './seriesStore';
import { Timeline } from './timeline';

/** Everything behind the views of one signed-in person. */
export interface Services {
  readonly session: AuthSession;
  readonly api: ApiClient;
  readonly queries: QueryClient;
  readonly socket: HubSocket;
  readonly series: SeriesStore;
  readonly fleet: FleetStore;
  readonly lab: LabStore;
  readonly alerts: AlertStore;
  readonly frames: FrameLog;
  readonly timeline: Timeline;
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
  const lab = new LabStore(
    () => void queries.invalidateQueries({ queryKey: ['testing'] }),
    () => void queries.invalidateQueries({ queryKey: ['sim'] }),
  );
  const recount = throttled(NEWS_INTERVAL_MS, () => {
    for (const key of ['statistics', 'urgent', 'one']) void queries.invalidateQueries({ queryKey: ['alerts', key] });
    void queries.invalidateQueries({ queryKey: ['rules', 'list'] });
  });
  const alerts = new AlertStore(recount);
  const socket = new HubSocket({
    open: openSocket,
    poll: (request, signal) => poll(api, request, signal),
    credentials: session,
    client_id: claimClientId(subject),
    random: Math.random,
    newId,
  });
  const services = { session, api, queries, socket, series, fleet, lab, alerts, frames: new FrameLog(), timeline: new Timeline() };
  return { ...services, start: () => start(services) };
}

function start({ api, socket, series, queries, frames, timeline }: Omit<Services, 'start'>): () => void {
  let reconnects = -1;
  // What the hub could not give again is read anew; several topics at once cause one reading.
  const reread = throttled(NEWS_INTERVAL_MS, () => void queries.invalidateQueries());
  const noteState = (): void => {
    const state = socket.state();
    timeline.note(state, Date.now());
    if (state.reconnects === reconnects || !isFlowing(state.phase)) return;
    if (reconnects >= 0) {
      // The points between two values of a `latest` topic come by no recovery.
      series.reload();
      void queries.invalidateQueries();
    }
    reconnects = state.reconnects;
    void readDegraded(api, socket);
  };
  const release = [socket.watch(noteState), socket.tap(frames.record), socket.onLoss(reread)];
  noteState();
  const online = (): void => socket.retryNow();
  addEventListener('online', online);
  socket.start();
  return () => {
    removeEventListener('online', online);
    release.forEach((undo) => undo());
    socket.stop('Signed out');
  };
}

/** The frames tell of changes only: what was degraded before the connection is asked for. */
async function readDegraded(api: ApiClient, socket: HubSocket): Promise<void> {
  try {
    const { breakers } = await api.get<Performance>(PERFORMANCE_PATH);
    socket.setDegraded(breakers.filter((breaker) => breaker.state !== 'closed').map((breaker) => breaker.subsystem));
  } catch {
    // The pages that show it say why it could not be read.
  }
}

function poll(api: ApiClient, { topics, since, wait_s }: PollRequest, signal: AbortSignal): Promise<Json> {
  if (topics.length === 0) return api.get<Json>(HEALTH_PATH, {}, signal);
  return api.get<Json>('/api/v1/streaming/poll', { topics: topics.join(','), since, wait_s }, signal);
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
