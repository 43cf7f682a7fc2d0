/** Labels that say how it is at the moment rather than what it is about: an alert like this may have others. */
const CHANGING: ReadonlySet<string> = new Set(['severity', 'value', 'synthetic', 'simulated']);

/** Whether a label is better left out of a window for alerts like this one. */
export function isChanging(name: string): boolean {
  return CHANGING.has(name);
}

/** `node="web-1"`, as the hub reads it. */
export function matcherOf(name: string, value: string): string {
  return `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}
