import { useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import { useRead } from './queries';
import type { FaultScenarios, FaultStatus } from './testing';

const SIM = '/api/sim';
export const ENABLE_PATH = `${SIM}/enable`;
export const DISABLE_PATH = `${SIM}/disable`;
export const RESET_PATH = `${SIM}/reset`;

const STATUS_KEY = ['sim', 'status'];
/** The topic `testing` tells when a fault begins or ends; this is for what it may have missed. */
const QUIET_REREAD_MS = 30_000;
/** While one is active, so that its metric moves. */
const ACTIVE_REREAD_MS = 2_000;

/** What can be made to go wrong, and whether this hub may be made to at all. */
export const useFaultScenarios = (): UseQueryResult<FaultScenarios> => useRead(['sim', 'scenarios'], `${SIM}/scenarios`, 5 * 60_000);

/** The faults that are active, with what they do to their metric; nothing is asked of a hub that makes none. */
export function useFaultStatus(): UseQueryResult<FaultStatus> {
  const is_lab = useFaultScenarios().data?.enabled === true;
  const known = useQueryClient().getQueryData<FaultStatus>(STATUS_KEY);
  return useRead(STATUS_KEY, `${SIM}/status`, (known?.active.length ?? 0) > 0 ? ACTIVE_REREAD_MS : QUIET_REREAD_MS, is_lab);
}
