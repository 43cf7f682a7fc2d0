import { useEffect, useState } from 'react';

const SETTLE_MS = 600;

/** The value once it has stayed the same for a moment: what is asked of the hub does not follow every letter. */
export function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
