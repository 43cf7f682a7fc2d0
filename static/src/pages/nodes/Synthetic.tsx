import type { ReactNode } from 'react';

/** Marks a node whose samples are made up for a demonstration. */
export function Synthetic(): ReactNode {
  return <span className="tag synthetic" title="Its samples are made up for a demonstration">synthetic</span>;
}
