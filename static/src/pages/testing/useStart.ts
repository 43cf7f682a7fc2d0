import { useMutation, useQueryClient, type UseMutationResult } from '@tanstack/react-query';
import type { StoredRun } from '../../api/testing';
import { useServices } from '../../state/context';

/** Starts a run at `path` and tells of it; the list of runs is read again either way. */
export function useStart<T extends object>(path: string, onStarted: (id: string) => void): UseMutationResult<StoredRun, Error, T> {
  const { api } = useServices();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (request: T) => api.post<StoredRun>(path, request),
    onSuccess: (run) => {
      queries.setQueryData(['testing', 'run', run.id], run);
      onStarted(run.id);
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ['testing', 'runs'] }),
  });
}
