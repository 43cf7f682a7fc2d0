import { describe, expect, it } from 'vitest';
import type { FleetNode } from '../../api/types';
import { agentCommand } from './agentCommand';
import { filterNodes } from './filter';
import { mergeNode, type LiveNode } from './liveNode';

const READ_AT = 1_000_000;
const base: FleetNode = {
  id: 'web-1', state: 'online', source: 'agent', last_seen: new Date(READ_AT).toISOString(), age_ms: 0, interval_ms: 1_000, ttl_ms: 15_000,
  labels: { zone: 'a' }, inventory: null, metrics: { cpu_percent: 5 },
};

describe('mergeNode', () => {
  it('prefers what is newer, field by field', () => {
    const live = { at_ms: READ_AT + 1_000, metrics: { cpu_percent: 7 } };
    const late = { state: 'late' as const, received_at_ms: READ_AT + 2_000, labels: null, inventory: null };
    expect(mergeNode(base, READ_AT, live, late)).toMatchObject({ state: 'late', last_seen_ms: READ_AT + 1_000, labels: { zone: 'a' }, metrics: { cpu_percent: 7 } });
  });

  it('does not let old news override a later read', () => {
    const old = { state: 'offline' as const, received_at_ms: READ_AT - 1, labels: {}, inventory: null };
    expect(mergeNode(base, READ_AT, { at_ms: READ_AT - 5, metrics: { cpu_percent: 1 } }, old)).toMatchObject({ state: 'online', metrics: { cpu_percent: 5 } });
  });

  it('knows nothing of a node that was never heard', () => {
    expect(mergeNode({ ...base, last_seen: null, metrics: null }, READ_AT, null, null)).toMatchObject({ last_seen_ms: null, metrics: {} });
  });
});

describe('filterNodes', () => {
  const nodes: LiveNode[] = ['web-1', 'web-2', 'db-1'].map((id, index) => mergeNode({ ...base, id, labels: { zone: index === 0 ? 'a' : 'b' } }, READ_AT, null, null));
  const ids = (filter: Partial<Parameters<typeof filterNodes>[1]>): string[] =>
    filterNodes(nodes, { text: '', state: null, label: null, ...filter }).map((node) => node.id);

  it('combines text, state and label', () => {
    expect(ids({})).toEqual(['web-1', 'web-2', 'db-1']);
    expect(ids({ text: 'WEB' })).toEqual(['web-1', 'web-2']);
    expect(ids({ text: 'web zone=b' })).toEqual(['web-2']);
    expect(ids({ label: 'zone=b' })).toEqual(['web-2', 'db-1']);
    expect(ids({ state: 'late' })).toEqual([]);
  });
});

describe('agentCommand', () => {
  it('speaks to the hub the page came from', () => {
    expect(agentCommand({ protocol: 'http:', host: '127.0.0.1:5050' }, 'web-1'))
      .toBe('infrawatch agent --hub ws://127.0.0.1:5050 --token "$(infrawatch token --role agent --node web-1)"');
    expect(agentCommand({ protocol: 'https:', host: 'hub.example' }, 'db')).toContain('--hub wss://hub.example ');
  });
});
