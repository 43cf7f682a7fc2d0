import { expect, it } from 'vitest';
import type { FrameEntry } from '../../state/frameLog';
import { bytesOf, filterFrames, summaryOf, typesOf } from './frameFilter';

function entry(seq: number, direction: 'in' | 'out', type: string, topic: string | null, raw = `{"type":"${type}","payload":{"seq":${seq}}}`): FrameEntry {
  return { seq, at_ms: seq, direction, type, topic, id: '', reply_to: null, messages: null, raw, latency_ms: null };
}

const entries = [entry(1, 'out', 'subscribe', 'events, nodes'), entry(2, 'in', 'subscribed', 'events'), entry(3, 'in', 'message', 'events', '{"payload":{"text":"Grüße"}}')];
const all = { direction: 'all', type: '', topic: '', text: '' } as const;
const shown = (change: object): number[] => filterFrames(entries, { ...all, ...change }).map(({ seq }) => seq);

it('shows the newest first and lets through what fits every part of the filter', () => {
  expect(shown({})).toEqual([3, 2, 1]);
  expect(shown({ direction: 'in' })).toEqual([3, 2]);
  expect(shown({ direction: 'in', type: 'subscribed' })).toEqual([2]);
  expect(shown({ topic: 'NODES' })).toEqual([1]);
  expect(shown({ text: 'grüße TEXT' })).toEqual([3]);
  expect(shown({ text: 'grüße nothing' })).toEqual([]);
});

it('knows types, sizes and a summary', () => {
  expect(typesOf(entries)).toEqual(['message', 'subscribe', 'subscribed']);
  expect(bytesOf('Grüße')).toBe(7);
  expect(summaryOf(entry(1, 'in', 'x', null, '{"type":"x","payload":{"a":1}}'))).toBe('{"a":1}}');
  expect(summaryOf(entry(1, 'in', 'unreadable', null, 'nonsense'))).toBe('nonsense');
});
