export const VALUES_MAX = 500;

/** Numbers between commas or blanks; `95x6` is six times 95. `null` when something is no number, or there are too many. */
export function readValues(text: string): number[] | null {
  const values: number[] = [];
  for (const part of text.split(/[\s,;]+/).filter((one) => one !== '')) {
    const match = /^(-?\d+(?:\.\d+)?(?:e-?\d+)?)(?:[x×*](\d{1,3}))?$/i.exec(part);
    if (match === null) return null;
    const times = match[2] === undefined ? 1 : Number(match[2]);
    if (values.length + times > VALUES_MAX) return null;
    values.push(...Array<number>(times).fill(Number(match[1])));
  }
  return values;
}
