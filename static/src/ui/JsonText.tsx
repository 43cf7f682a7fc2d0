import type { ReactNode } from 'react';

/** Longer text is shown without colours: each token costs an element. */
const COLOURED_CHARS = 24_000;
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** JSON text with line breaks; text that is no JSON as it is. */
export function prettyJson(raw: string): string {
  try {
    return JSON.stringify(JSON.parse(raw), null, 2);
  } catch {
    return raw;
  }
}

/** JSON that can be read: colours only repeat what the punctuation says. */
export function JsonText({ raw, label }: { readonly raw: string; readonly label: string }): ReactNode {
  const pretty = prettyJson(raw);
  return (
    // A box that scrolls has to be reachable by keyboard.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <pre className="json" tabIndex={0} aria-label={label}>{pretty.length > COLOURED_CHARS ? pretty : coloured(pretty)}</pre>
  );
}

function coloured(text: string): ReactNode[] {
  const parts: ReactNode[] = [];
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [token, quoted, colon, word] = match;
    parts.push(text.slice(end, match.index));
    end = match.index + token.length;
    const kind = quoted === undefined ? (word === undefined ? 'json-number' : 'json-word') : colon === undefined ? 'json-string' : 'json-key';
    parts.push(<span key={match.index} className={kind}>{quoted ?? token}</span>, colon ?? '');
  }
  parts.push(text.slice(end));
  return parts;
}
