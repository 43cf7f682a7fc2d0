import type { UseQueryResult } from '@tanstack/react-query';
import type { EscalationPolicy, Inhibition, SuppressionWindow } from './policies';
import { useRead } from './queries';
import type { Page } from './types';

export const SUPPRESSION_PATH = '/api/v1/suppression';
export const INHIBITIONS_PATH = '/api/v1/inhibitions';
export const ESCALATION_PATH = '/api/v1/escalation-policies';
const LIMIT = 500;
const REREAD_MS = 5_000;

export const onePath = (path: string, id: string): string => `${path}/${encodeURIComponent(id)}`;

export const useWindows = (): UseQueryResult<Page<SuppressionWindow>> => useRead(['policies', 'suppression'], `${SUPPRESSION_PATH}?limit=${LIMIT}`, REREAD_MS);

export const useInhibitions = (): UseQueryResult<Page<Inhibition>> => useRead(['policies', 'inhibitions'], `${INHIBITIONS_PATH}?limit=${LIMIT}`, REREAD_MS);

export const useEscalations = (): UseQueryResult<Page<EscalationPolicy>> => useRead(['policies', 'escalation'], `${ESCALATION_PATH}?limit=${LIMIT}`, REREAD_MS);
