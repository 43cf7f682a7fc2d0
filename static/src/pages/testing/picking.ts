/** The address after one run was picked for comparison, or taken out of it. A third one takes the place of the second. */
export function picked(before: URLSearchParams, id: string): URLSearchParams {
  const after = new URLSearchParams(before);
  const [a, b] = [before.get('a'), before.get('b')];
  if (a === id) {
    after.delete('a');
    after.delete('b');
    if (b !== null) after.set('a', b);
  } else if (b === id) after.delete('b');
  else after.set(a === null ? 'a' : 'b', id);
  return after;
}

/** The address with the two runs the other way round, or with neither. */
export function swapped(before: URLSearchParams): URLSearchParams {
  const after = new URLSearchParams(before);
  const [a, b] = [before.get('a'), before.get('b')];
  if (a !== null && b !== null) {
    after.set('a', b);
    after.set('b', a);
  }
  return after;
}

export function unpicked(before: URLSearchParams): URLSearchParams {
  const after = new URLSearchParams(before);
  after.delete('a');
  after.delete('b');
  return after;
}
