import { useInfiniteQuery, useMutation, useQueryClient, type InfiniteData, type UseInfiniteQueryResult, type UseMutationResult, type UseQueryResult } from '@tanstack/react-query';
import { useConnection, useServices } from '../state/context';
import { usePaused } from '../state/view';
import { isReceiving } from '../wire/connectionState';
import type { AlertAction, AlertSearch, AlertStatistics, AlertTransition, BulkOutcome, OpenedAlert } from './alerts';
import type { ApiClient } from './client';
import { ApiError } from './problem';
import { useRead } from './queries';
import type { Page } from './types';

export const ALERTS_PATH = '/api/v1/alerts';
const PAGE_LIMIT = 100;
const MOST_URGENT = 8;
/** Changes come over the socket; counts and values of what goes on are read again. */
const REREAD_MS = 10_000;

export const alertPath = (id: string): string => `${ALERTS_PATH}/${encodeURIComponent(id)}`;

/** Alerts that a search lets through, a page at a time. `search` is read anew for each request; `key` says when it is another. */
export function useAlerts(key: string, search: () => AlertSearch): UseInfiniteQueryResult<InfiniteData<Page<OpenedAlert>>> {
  const { api } = useServices();
  const receiving = isReceiving(useConnection());
  const paused = usePaused();
  return useInfiniteQuery({
    // The hub computes the search anew each time; only what the person chose makes it another one.
    queryKey: ['alerts', 'list', key],
    queryFn: ({ pageParam, signal }) => api.search<Page<OpenedAlert>>(`${ALERTS_PATH}/search`, {
      ...search(), limit: PAGE_LIMIT, ...(pageParam === undefined ? {} : { cursor: pageParam }),
    }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: paused || !receiving ? false : REREAD_MS,
    placeholderData: (before) => before,
    enabled: (query) => !(paused && query.state.data !== undefined),
  });
}

/** The open alerts that want somebody first. */
export const useMostUrgent = (): UseQueryResult<Page<OpenedAlert>> =>
  useRead(['alerts', 'urgent'], `${ALERTS_PATH}?state=firing,acknowledged&sort=urgent&limit=${MOST_URGENT}`, REREAD_MS);

export const useAlertStatistics = (): UseQueryResult<AlertStatistics> => useRead(['alerts', 'statistics'], `${ALERTS_PATH}/statistics`, REREAD_MS);

export const useAlert = (id: string): UseQueryResult<OpenedAlert> => useRead(['alerts', 'one', id], alertPath(id), REREAD_MS);

export const useAlertSteps = (id: string): UseQueryResult<{ readonly items: AlertTransition[] }> =>
  useRead(['alerts', 'one', id, 'history'], `${alertPath(id)}/history`, 30_000);

/** As many as the hub takes at once. */
const BULK_MAX = 500;

async function bulk(api: ApiClient, ids: readonly string[], what: object): Promise<BulkOutcome> {
  const outcomes: BulkOutcome[] = [];
  for (let at = 0; at < ids.length; at += BULK_MAX) {
    outcomes.push(await api.post<BulkOutcome>(`${ALERTS_PATH}/bulk-update`, { ids: ids.slice(at, at + BULK_MAX), ...what }));
  }
  return { done: outcomes.flatMap((outcome) => outcome.done), failed: outcomes.flatMap((outcome) => outcome.failed) };
}

export interface AlertRequest {
  readonly ids: readonly string[];
  readonly action: AlertAction;
  readonly comment: string;
}

/** Acknowledges or resolves alerts, one or many; what became of each is told. */
export function useAlertAction(onDone: (outcome: BulkOutcome) => void): UseMutationResult<BulkOutcome, Error, AlertRequest> {
  const { api, alerts } = useServices();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async ({ ids, action, comment }: AlertRequest) => {
      const words = comment.trim() === '' ? {} : { comment: comment.trim() };
      const [only] = ids;
      if (ids.length !== 1 || only === undefined) return bulk(api, ids, { action, ...words });
      try {
        alerts.put(await api.post<OpenedAlert>(`${alertPath(only)}/${action}`, words));
        return { done: [only], failed: [] };
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 409) throw error;
        // Somebody was faster, which is no failure of this page.
        return { done: [], failed: [{ id: only, code: error.code ?? '', detail: error.detail }] };
      }
    },
    onSuccess: onDone,
    onSettled: () => queries.invalidateQueries({ queryKey: ['alerts'] }),
  });
}
