/** Colours are CSS variables `--series-1` to `--series-8`, told apart by every common kind of colour vision; dashes tell the rest apart. */
export const PALETTE_SIZE = 8;
const DASHES: readonly (readonly number[])[] = [[], [7, 4], [2, 3], [10, 3, 2, 3]];

export interface SeriesStyle {
  readonly variable: string;
  readonly dash: readonly number[];
}

export function seriesStyle(index: number): SeriesStyle {
  return {
    variable: `--series-${(index % PALETTE_SIZE) + 1}`,
    dash: DASHES[Math.floor(index / PALETTE_SIZE) % DASHES.length] ?? [],
  };
}

export function cssValue(variable: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
}

/** `#rrggbb` with an alpha from 0 to 1. */
export function withAlpha(hex: string, alpha: number): string {
  const byte = Math.round(alpha * 255).toString(16).padStart(2, '0');
  return /^#[0-9a-f]{6}$/i.test(hex) ? `${hex}${byte}` : hex;
}
