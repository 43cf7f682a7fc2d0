import type { ReactNode } from 'react';

interface ScrollBoxProps {
  readonly label: string;
  /** `feed-box` is bounded in height, `table-box` is not and keeps its first column. */
  readonly kind?: 'feed-box' | 'table-box';
  readonly children: ReactNode;
}

/** A part of a page that scrolls by itself, so it has to be reachable by keyboard. */
export function ScrollBox({ label, kind = 'feed-box', children }: ScrollBoxProps): ReactNode {
  // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
  return <div className={kind} role="region" aria-label={label} tabIndex={0}>{children}</div>;
}
