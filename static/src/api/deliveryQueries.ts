import type { UseQueryResult } from '@tanstack/react-query';
import type { AlertMessage, OfflineQueue, Performance, PerformanceStats, SyncDoc, SyncDocSummary, Topic } from './delivery';
import { useRead } from './queries';
import type { Page } from './types';

const API = '/api/v1';
const LIST_LIMIT = 500;
const FEED_LIMIT = 50;

export const PERFORMANCE_PATH = `${API}/performance/snapshot`;

export const useTopics = (): UseQueryResult<Page<Topic>> =>
  useRead(['streaming', 'topics'], `${API}/streaming/topics?limit=${LIST_LIMIT}`, 2_000);

export const usePerformance = (every_ms = 1_000): UseQueryResult<Performance> => useRead(['performance'], PERFORMANCE_PATH, every_ms);

export const usePerformanceStats = (): UseQueryResult<PerformanceStats> =>
  useRead(['performance', 'stats'], `${API}/performance/stats`, 2_000);

/** The newest alerts of the store; what comes later comes over the socket. */
export const useAlertHistory = (): UseQueryResult<Page<AlertMessage>> =>
  useRead(['streaming', 'alerts'], `${API}/streaming/alerts?limit=${FEED_LIMIT}`, 30_000);

export const useSyncDocs = (): UseQueryResult<Page<SyncDocSummary>> =>
  useRead(['sync'], `${API}/events/sync?limit=${LIST_LIMIT}`, 3_000);

export const useSyncDoc = (doc: string | null): UseQueryResult<SyncDoc> =>
  useRead(['sync', doc], `${API}/events/sync/${encodeURIComponent(doc ?? '')}?limit=${LIST_LIMIT}`, 5_000, doc !== null);

export const useOfflineQueue = (client_id: string): UseQueryResult<OfflineQueue> =>
  useRead(['offline', client_id], `${API}/events/offline/${encodeURIComponent(client_id)}`, 3_000);
