import { useEffect, useState } from 'react';
import { useConnection, useServices } from '../../state/context';
import { isObject, messageOf, text, type Message } from '../../wire/envelope';
import { isFlowing } from '../../wire/connectionState';

export interface TopicHistory {
  /** Newest first. */
  readonly messages: readonly Message[];
  readonly state: 'loading' | 'ready' | 'failed';
  readonly failure: string;
}

const NOTHING: TopicHistory = { messages: [], state: 'loading', failure: '' };

/** What a topic had before the page looked at it, asked for once, when there is a connection. */
export function useTopicHistory(topic: string, limit: number): TopicHistory {
  const { socket } = useServices();
  const flowing = isFlowing(useConnection().phase);
  const [history, setHistory] = useState(NOTHING);
  const wanted = flowing && history.state === 'loading';
  useEffect(() => {
    if (!wanted) return;
    let is_current = true;
    socket.request('history', { topic, limit }).then(
      (reply) => {
        const payload = isObject(reply.payload) ? reply.payload : {};
        const items = Array.isArray(payload.messages) ? payload.messages.filter(isObject) : [];
        const messages = items.map((item) => messageOf(item, topic, { epoch: text(payload.epoch) })).reverse();
        if (is_current) setHistory({ messages, state: 'ready', failure: '' });
      },
      (error: unknown) => {
        if (is_current) setHistory({ messages: [], state: 'failed', failure: error instanceof Error ? error.message : '' });
      },
    );
    return () => void (is_current = false);
  }, [socket, topic, limit, wanted]);
  return history;
}
