import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import { useConnection, useServices } from '../state/context';
import { usePaused } from '../state/view';
import { isReceiving } from '../wire/connectionState';
import { HEALTH_PATH } from './client';
import { ApiError } from './problem';
import type {
  ClientSession, ConnectionStats, FleetNode, FleetNodeDetail, Health, Overview, Page, Room, RoomMessage, RoomSummary,
  Supervision,
} from './types';

const GONE_REREAD_MS = 30_000;

/** Reads `path` and again each `every_ms` while the view is not paused and the hub is there. */
export function useRead<T>(key: readonly unknown[], path: string, every_ms: number, enabled = true): UseQueryResult<T> {
  const { api } = useServices();
  const receiving = isReceiving(useConnection());
  const paused = usePaused();
  return useQuery<T>({
    queryKey: key,
    queryFn: ({ signal }) => api.get<T>(path, {}, signal),
    // What is not there seldom comes by asking.
    refetchInterval: ({ state }) => (paused || !receiving ? false : state.error instanceof ApiError && state.error.status === 404 ? Math.max(every_ms, GONE_REREAD_MS) : every_ms),
    // A paused view stands still, but a page opened meanwhile still needs its first data.
    enabled: (query) => enabled && !(paused && query.state.data !== undefined),
  });
}

const API = '/api/v1';
const LIST_LIMIT = 500;

export const useOverview = (): UseQueryResult<Overview> => useRead(['overview'], `${API}/operations/overview`, 2_000);

export const useNodes = (): UseQueryResult<Page<FleetNode>> => useRead(['nodes'], `${API}/nodes?limit=${LIST_LIMIT}`, 10_000);

export const useNode = (id: string): UseQueryResult<FleetNodeDetail> =>
  useRead(['nodes', id], `${API}/nodes/${encodeURIComponent(id)}`, 10_000);

export const useHealth = (): UseQueryResult<Health> => useRead(['health'], HEALTH_PATH, 5_000);

export const useSupervision = (): UseQueryResult<Supervision> => useRead(['supervision'], `${API}/supervision`, 2_000);

export const useConnectionStats = (): UseQueryResult<ConnectionStats> =>
  useRead(['connections', 'stats'], `${API}/connections/stats`, 2_000);

export const useSessions = (): UseQueryResult<Page<ClientSession>> =>
  useRead(['connections', 'list'], `${API}/connections/list?limit=${LIST_LIMIT}`, 3_000);

export const useRooms = (): UseQueryResult<Page<RoomSummary>> =>
  useRead(['rooms'], `${API}/connections/rooms?limit=${LIST_LIMIT}`, 3_000);

export const useRoom = (room: string | null): UseQueryResult<Room> =>
  useRead(['rooms', room], `${API}/connections/rooms/${encodeURIComponent(room ?? '')}`, 3_000, room !== null);

export const useRoomHistory = (room: string | null): UseQueryResult<Page<RoomMessage>> =>
  useRead(['rooms', room, 'history'], `${API}/connections/rooms/${encodeURIComponent(room ?? '')}/history`, 3_000, room !== null);
