const KEY = 'infrawatch.client_id';

/**
 * The client id of this tab: kept across reloads, so that the session is taken up again, and not shared with a
 * duplicated tab, which would take the session over. A duplicate copies the storage of a living page, so the id is
 * written back only when the page goes away.
 */
export function claimClientId(subject: string): string {
  let stored: string | null = null;
  try {
    stored = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
  } catch {
    // Without storage each page load is a new client.
  }
  const owner = `${subject}\n`;
  const id = stored?.startsWith(owner) ? stored.slice(owner.length) : `console-${newId().slice(0, 12)}`;
  if (claimed === null) addEventListener('pagehide', keep);
  claimed = owner + id;
  return id;
}

let claimed: string | null = null;

function keep(): void {
  try {
    if (claimed !== null) sessionStorage.setItem(KEY, claimed);
  } catch {
    // As above.
  }
}

/** A random id. `randomUUID` exists on secure origins only; the console also runs on plain http in a home network. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
