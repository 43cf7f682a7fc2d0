import { EventEmitter, once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const ARGUMENTS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

export const ARTIFACTS = fileURLToPath(new URL('artifacts/', import.meta.url));
export const DESK = { width: 1440, height: 900 };
export const PHONE = { width: 380, height: 780 };

/** What the browser itself logs while a hub is down on purpose; no script can keep it from doing so. */
const NETWORK_NOISE = /WebSocket connection to|net::ERR_|Failed to load resource/;

/** One browser with one profile: its tabs share the refresh cookie as a person's tabs do. */
export async function openBrowser() {
  mkdirSync(ARTIFACTS, { recursive: true });
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM_BIN ?? '/usr/bin/chromium', args: ARGUMENTS });
  const context = await browser.newContext({ viewport: DESK, colorScheme: 'dark', permissions: ['clipboard-read', 'clipboard-write'] });
  return { context, close: () => browser.close() };
}

/** A tab that records every console error, page error and broken policy. */
export async function openTab(context) {
  const page = await context.newPage();
  const errors = [];
  const tab = { page, errors, events: new EventEmitter(), network_noise_allowed: false };
  const record = (text) => {
    if (!(tab.network_noise_allowed && NETWORK_NOISE.test(text))) errors.push(text);
  };
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') record(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => record(`page error: ${error.stack ?? error.message}`));
  page.on('websocket', (socket) => {
    socket.on('framereceived', ({ payload }) => {
      if (/"type":"(message|batch)"/.test(String(payload))) tab.events.emit('published');
    });
  });
  page.setDefaultTimeout(10_000);
  return tab;
}

/** Waits until the hub has sent this many more frames of published messages to the page. */
export async function published(tab, frames) {
  const limit = AbortSignal.timeout(20_000);
  for (let seen = 0; seen < frames; seen += 1) await once(tab.events, 'published', { signal: limit });
}

/** Waits until the connection of the page is in one of the phases. */
export function waitForPhase(page, ...phases) {
  return page.locator(phases.map((phase) => `[data-connection="${phase}"]`).join(', ')).waitFor({ timeout: 20_000 });
}

/** Whether the page can be scrolled sideways. */
export function overflow(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

/** Calls the API of the hub as the person who is signed in to the page, from the page; nothing on it is loaded again by that. */
export async function callHub(page, method, path, body) {
  return page.evaluate(async ([verb, url, content]) => {
    const { access_token } = await (await fetch('/api/v1/connections/refresh', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })).json();
    const response = await fetch(url, {
      method: verb, headers: { 'content-type': 'application/json', authorization: `Bearer ${access_token}` }, ...(content === undefined ? {} : { body: JSON.stringify(content) }),
    });
    return { status: response.status, body: await response.json() };
  }, [method, path, body]);
}
