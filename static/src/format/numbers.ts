/** What stands for a value nobody knows. */
export const UNKNOWN = '–';

type Maybe = number | null | undefined;

function known(value: Maybe): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** `12.3 %`; one decimal always, so that the width stays. */
export function percent(value: Maybe): string {
  return known(value) ? `${value.toFixed(1)} %` : UNKNOWN;
}

/** `80 %` for scales, whose steps are round. */
export function wholePercent(value: number): string {
  return `${Number(value.toFixed(1))} %`;
}

/** A scale's plain number without trailing zeros. */
export function plain(value: number): string {
  return String(Number(value.toFixed(3)));
}

const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;
const DECIMAL = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

function scaled(value: number, base: number, units: readonly string[]): string {
  let rest = Math.abs(value);
  let step = 0;
  // 999.5 would print as "1000": it belongs to the next unit already.
  while (rest >= base - base / 2000 && step < units.length - 1) {
    rest /= base;
    step += 1;
  }
  const digits = step === 0 || rest >= 99.95 ? 0 : rest >= 9.995 ? 1 : 2;
  return `${value < 0 ? '-' : ''}${rest.toFixed(digits)} ${units[step] ?? ''}`;
}

/** Sizes of memory and disks, in powers of 1024: `3.42 GiB`. */
export function bytes(value: Maybe): string {
  return known(value) ? scaled(value, 1024, BINARY) : UNKNOWN;
}

/** Rates, in powers of 1000: `1.20 MB/s`. */
export function bytesPerSecond(value: Maybe): string {
  return known(value) ? `${scaled(value, 1000, DECIMAL)}/s` : UNKNOWN;
}

const GROUPED = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** Whole numbers with thousands separated: `12,345`. */
export function count(value: Maybe): string {
  return known(value) ? GROUPED.format(value) : UNKNOWN;
}

/** Rates of countable things: two decimals below 10, one below 100, none above. */
export function perSecond(value: Maybe): string {
  if (!known(value)) return UNKNOWN;
  if (value >= 99.95) return GROUPED.format(value);
  return value.toFixed(value >= 9.995 ? 1 : 2);
}

export function decimal(value: Maybe, digits = 2): string {
  return known(value) ? value.toFixed(digits) : UNKNOWN;
}

export function celsius(value: Maybe): string {
  return known(value) ? `${value.toFixed(0)} °C` : UNKNOWN;
}

/** `82 of 118 GiB` as one string, or unknown when either is. */
export function ofTotal(used: Maybe, total: Maybe): string {
  return known(used) && known(total) ? `${bytes(used)} of ${bytes(total)}` : UNKNOWN;
}
