import { useInfiniteQuery, type InfiniteData, type UseInfiniteQueryResult, type UseQueryResult } from '@tanstack/react-query';
import { useConnection, useServices } from '../state/context';
import { usePaused } from '../state/view';
import { isReceiving } from '../wire/connectionState';
import { useRead } from './queries';
import type { RunLimits, StoredRun } from './testing';
import type { Page } from './types';

export const RUNS_PATH = '/api/v1/testing/runs';
export const LIMITS_PATH = '/api/v1/testing/limits';
export const START_PATH = '/api/v1/testing/start';
export const CHAOS_PATH = '/api/v1/testing/chaos/reconnect';
const RUNS_LIMIT = 20;
/** Runs are told of by the topic `testing`; this is for what it may have missed. */
const REREAD_MS = 30_000;
const RUNNING_REREAD_MS = 2_000;

export const runPath = (id: string): string => `${RUNS_PATH}/${encodeURIComponent(id)}`;

/** Stored runs, newest first, a page at a time. */
export function useRuns(): UseInfiniteQueryResult<InfiniteData<Page<StoredRun>>> {
  const { api } = useServices();
  const receiving = isReceiving(useConnection());
  const paused = usePaused();
  return useInfiniteQuery({
    queryKey: ['testing', 'runs'],
    queryFn: ({ pageParam, signal }) => api.get<Page<StoredRun>>(RUNS_PATH, { limit: RUNS_LIMIT, cursor: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: paused || !receiving ? false : REREAD_MS,
    enabled: (query) => !(paused && query.state.data !== undefined),
  });
}

/** What may be asked for: settings of the hub, which change only with its process. */
export const useRunLimits = (): UseQueryResult<RunLimits> => useRead(['testing', 'limits'], LIMITS_PATH, 5 * 60_000);

/** One run with its histogram and phases; read again while it runs. */
export const useRun = (id: string | null, is_running = false): UseQueryResult<StoredRun> =>
  useRead(['testing', 'run', id], runPath(id ?? ''), is_running ? RUNNING_REREAD_MS : 5 * 60_000, id !== null);
