/** Lengths of time as people write them in forms: `5m`, `1h 30m`, `90`. */

const UNITS: Readonly<Record<string, number>> = { s: 1, sec: 1, m: 60, min: 60, h: 3_600, d: 86_400 };
const PART = /(\d+(?:\.\d+)?)\s*(s|sec|min|m|h|d)?(?![a-z])/gi;

/** Seconds; a number without a unit is seconds. `null` when it is no length of time. */
export function readSeconds(text: string): number | null {
  const rest = text.replace(PART, '').trim();
  if (text.trim() === '' || rest !== '') return null;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(PART)) total += Number(amount) * (UNITS[(unit ?? 's').toLowerCase()] ?? 1);
  return Math.round(total * 1_000) / 1_000;
}

/** As it is written in a form: `5m`, `1h 30m`, `2.5s`. */
export function writeSeconds(seconds: number): string {
  if (seconds === 0 || seconds < 60 || !Number.isInteger(seconds)) return `${seconds}s`;
  const parts: string[] = [];
  let rest = seconds;
  for (const [unit, size] of [['d', 86_400], ['h', 3_600], ['m', 60], ['s', 1]] as const) {
    const amount = Math.floor(rest / size);
    if (amount > 0) parts.push(`${amount}${unit}`);
    rest -= amount * size;
  }
  return parts.join(' ');
}

/** In a sentence: `5 min`, `1 h 30 min`, `2.5 s`. */
export function spokenSeconds(seconds: number): string {
  return writeSeconds(seconds).replace(/([\d.]+)(d|h|m|s)/g, (_, amount: string, unit: string) => `${amount} ${unit === 'm' ? 'min' : unit}`);
}
