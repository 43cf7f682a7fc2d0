import { createContext, use, useEffect, useSyncExternalStore } from 'react';
import { SEVERITIES } from '../api/delivery';
import type { MessageListener } from '../wire/subscriptions';
import type { ConnectionState } from '../wire/connectionState';
import type { LiveAlert } from './alertStore';
import type { LabelledSample, LiveSnapshot, NodeNews } from './fleetStore';
import type { Services } from './services';

export const ServicesContext = createContext<Services | null>(null);

export function useServices(): Services {
  const services = use(ServicesContext);
  if (services === null) throw new Error('used outside of the provider of the hub');
  return services;
}

export function useConnection(): ConnectionState {
  const { socket } = useServices();
  return useSyncExternalStore(socket.watch, socket.state);
}

/** Keeps `topic` subscribed while the view is there. `listener` must be stable. */
export function useTopic(topic: string, listener: MessageListener): void {
  const { socket } = useServices();
  useEffect(() => socket.subscribe(topic, listener), [socket, topic, listener]);
}

/** Keeps the live feed of the whole fleet subscribed while the view is there. */
export function useFleetFeed(): void {
  const { fleet } = useServices();
  useTopic('metrics_update', fleet.onMetrics);
  useTopic('nodes', fleet.onNode);
}

/** Keeps the topics of applications and of the hub itself subscribed: pages about the connection show what they carry. */
export function useEventsFeed(): void {
  useTopic('events', ignore);
  useTopic('system', ignore);
}

/** Keeps the alerts of every severity subscribed: the shell counts them on every page. */
export function useAlertFeed(): void {
  const { socket, alerts } = useServices();
  useEffect(() => {
    const leave = SEVERITIES.map((severity) => socket.subscribe(`alerts_${severity}`, alerts.onMessage));
    return () => leave.forEach((undo) => undo());
  }, [socket, alerts]);
}

/** Alerts as the socket last told of them, by id. */
export function useLiveAlerts(): ReadonlyMap<string, LiveAlert> {
  const { alerts } = useServices();
  return useSyncExternalStore(alerts.watch, alerts.live);
}

const ignore = (): void => undefined;

export function useLiveSnapshot(node: string): LiveSnapshot | null {
  const { fleet } = useServices();
  return useSyncExternalStore(fleet.watch, () => fleet.snapshot(node));
}

export function useNodeNews(node: string): NodeNews | null {
  const { fleet } = useServices();
  return useSyncExternalStore(fleet.watch, () => fleet.newsOf(node));
}

export function useSamples(node: string): readonly LabelledSample[] {
  const { fleet } = useServices();
  return useSyncExternalStore(fleet.watch, () => fleet.samplesOf(node));
}
