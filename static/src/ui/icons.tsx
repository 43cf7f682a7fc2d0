import type { ReactNode } from 'react';

const PATHS = {
  command: 'M3 13a9 9 0 0 1 18 0M12 13l4-5M5 17h14',
  bell: 'M6 17V11a6 6 0 0 1 12 0v6l2 1H4zM10 21h4',
  rules: 'M4 6h7M15 6h5M13 4v4M4 12h3M11 12h9M9 10v4M4 18h10M18 18h2M16 16v4',
  edit: 'M4 20l1-4L16 5l3 3L8 19zM14 7l3 3',
  mute: 'M5 9h4l5-4v14l-5-4H5zM17 10l4 4M21 10l-4 4',
  calendar: 'M4 6h16v14H4zM4 10h16M8 3v5M16 3v5',
  connections: 'M7 8a3 3 0 1 0 0-.01M17 18a3 3 0 1 0 0-.01M9 9.5l6 6M17 5h3v3M20 5l-5 5',
  nodes: 'M4 5h16v5H4zM4 14h16v5H4zM8 7.5h.01M8 16.5h.01M12 7.5h5M12 16.5h5',
  operations: 'M12 3v4M12 17v4M5 7h14v4H5zM7 15h4v3H7zM14 15h4v3h-4zM9 11v4M16 11v4',
  streams: 'M3 8c3-4 6 4 9 0s6 4 9 0M3 16c3-4 6 4 9 0s6 4 9 0',
  frames: 'M4 8h12M13 5l3 3-3 3M20 16H8M11 13l-3 3 3 3',
  gauge: 'M4 20V10M10 20V4M16 20v-7M21 20H3',
  lab: 'M9 3h6M10 3v6l-5 9a2 2 0 0 0 2 3h10a2 2 0 0 0 2-3l-5-9V3M8 15h8',
  stop: 'M6 6h12v12H6z',
  link: 'M10 14a4 4 0 0 0 5.7 0l3-3a4 4 0 0 0-5.7-5.7l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3a4 4 0 0 0 5.7 5.7l1-1',
  console: 'M4 5h16v14H4zM8 10l3 2.5L8 15M13 15h4',
  bolt: 'M13 3L5 14h6l-1 7 8-11h-6z',
  send: 'M4 12l16-8-6 16-3-6.5z',
  trash: 'M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13',
  menu: 'M4 7h16M4 12h16M4 17h16',
  pause: 'M8 5v14M16 5v14',
  play: 'M7 5l12 7-12 7z',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  warning: 'M12 4l9 16H3zM12 10v4M12 17h.01',
  cross: 'M6 6l12 12M18 6L6 18',
  clock: 'M12 3a9 9 0 1 0 .01 0M12 8v4l3 2',
  dots: 'M5 12h.01M12 12h.01M19 12h.01',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  plus: 'M12 5v14M5 12h14',
  search: 'M10.5 4a6.5 6.5 0 1 0 .01 0M15.5 15.5L20 20',
  chevron: 'M6 9l6 6 6-6',
  right: 'M9 6l6 6-6 6',
  up: 'M12 19V5M6 11l6-6 6 6',
  down: 'M12 5v14M6 13l6 6 6-6',
  theme: 'M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18',
  user: 'M12 4a4 4 0 1 0 .01 0M4 20c1-4 4-6 8-6s7 2 8 6',
  grid: 'M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z',
  rows: 'M4 6h16M4 12h16M4 18h16',
  minus: 'M5 12h14',
  help: 'M12 3a9 9 0 1 0 .01 0M9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.7.3-1 .8-1 1.7M12 17h.01',
} as const;

export type IconName = keyof typeof PATHS;

/** A line icon in the colour of the text; always beside text or a label, so hidden from assistive technology. */
export function Icon({ name, size = 16 }: { readonly name: IconName; readonly size?: number }): ReactNode {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="2"
      strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

export function Logo(): ReactNode {
  return (
    <svg width="26" height="26" viewBox="0 0 32 32" fill="none" aria-hidden="true">
      <circle cx="16" cy="16" r="13" stroke="var(--line-strong)" strokeWidth="2.5" />
      <path d="M1.5 17h8.3l2.8-8 4.8 15 3.3-9.7 1.5 2.7h8.3" stroke="var(--accent)" strokeWidth="2.8" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
