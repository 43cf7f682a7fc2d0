import { describe, expect, it } from 'vitest';
import { messagesOf, parseFrame } from './envelope';

const frame = (value: object): ReturnType<typeof parseFrame> => parseFrame(JSON.stringify(value));

describe('parseFrame', () => {
  it('refuses what is not an envelope', () => {
    for (const raw of ['', 'nonsense', '[]', '3', 'null', '{}', '{"type":7}']) expect(parseFrame(raw)).toBeNull();
  });

  it('fills in what is missing', () => {
    expect(frame({ type: 'pong' })).toEqual({ type: 'pong', id: '', timestamp: '', payload: {}, metadata: {} });
  });
});

describe('messagesOf', () => {
  it('reads a message frame', () => {
    const parsed = frame({ type: 'message', timestamp: 't', payload: { a: 1 }, metadata: { topic: 'nodes', key: 'web-1', offset: 4 } });
    expect(parsed && messagesOf(parsed)).toMatchObject([{ topic: 'nodes', key: 'web-1', offset: 4, timestamp: 't', payload: { a: 1 } }]);
  });

  it('reads a batch in order and leaves out what is no item', () => {
    const parsed = frame({
      type: 'batch',
      timestamp: 't',
      metadata: { topic: 'metrics_update' },
      payload: { items: [{ offset: 1, key: 'a', timestamp: 'u', payload: 1 }, 'junk', { offset: 2, payload: null }] },
    });
    expect(parsed && messagesOf(parsed)).toMatchObject([
      { topic: 'metrics_update', key: 'a', offset: 1, timestamp: 'u', payload: 1 },
      { topic: 'metrics_update', key: null, offset: 2, timestamp: 't', payload: null },
    ]);
  });

  it('finds nothing in replies and in frames without a topic', () => {
    for (const value of [{ type: 'subscribed', metadata: { topic: 'nodes' } }, { type: 'message', payload: {} }, { type: 'batch', metadata: { topic: 'x' }, payload: [] }]) {
      const parsed = frame(value);
      expect(parsed && messagesOf(parsed)).toEqual([]);
    }
  });
});
