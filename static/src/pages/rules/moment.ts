/** The moment that a date field means, RFC 3339; `null` while it is not whole. The field is in the browser's time. */
export function readMoment(field: string): string | null {
  const ms = field === '' ? Number.NaN : new Date(field).getTime();
  return Number.isNaN(ms) ? null : new Date(ms).toISOString();
}
