import { useMemo } from 'react';
import { useNodes } from '../../api/queries';

/** Names of the metrics that nodes send at present, for completing what is typed. */
export function useMetricNames(): readonly string[] {
  const nodes = useNodes().data?.items;
  return useMemo(() => [...new Set((nodes ?? []).flatMap((node) => Object.keys(node.metrics ?? {})))].sort(), [nodes]);
}
