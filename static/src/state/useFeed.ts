import { useEffect, useEffectEvent, useRef, useState } from 'react';
import type { Message } from '../wire/envelope';
import { useServices } from './context';
import { usePaused } from './view';

/** Views see new messages this often at most, however many arrive. */
const SHOW_EVERY_MS = 200;

/**
 * The newest messages of some topics, newest first, subscribed while the view is there. `read` takes out of a message
 * what is shown. A paused view keeps what it shows; what arrives meanwhile is shown afterwards, up to `bound`.
 */
export function useFeed<T>(topics: readonly string[], read: (message: Message) => T | null, bound: number): readonly T[] {
  const { socket } = useServices();
  const paused = usePaused();
  const buffer = useRef<T[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  const [shown, setShown] = useState<readonly T[]>([]);
  const show = useEffectEvent(() => {
    timer.current = null;
    if (!paused) setShown([...buffer.current]);
  });
  const take = useEffectEvent((message: Message) => {
    const item = read(message);
    if (item === null) return;
    buffer.current.unshift(item);
    if (buffer.current.length > bound) buffer.current.length = bound;
    if (!paused) timer.current ??= setTimeout(() => show(), SHOW_EVERY_MS);
  });
  const names = topics.join('\n');
  useEffect(() => {
    buffer.current = [];
    timer.current = setTimeout(() => show(), 0);
    const leave = names === '' ? [] : names.split('\n').map((topic) => socket.subscribe(topic, (message) => take(message)));
    return () => {
      leave.forEach((undo) => undo());
      if (timer.current !== null) clearTimeout(timer.current);
      timer.current = null;
    };
  }, [socket, names]);
  useEffect(() => {
    if (!paused) show();
  }, [paused]);
  return shown;
}
