import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser, openTab, waitForPhase } from './browser.mjs';
import { Hub } from './hub.mjs';

const hub = new Hub();
let browser;
let tab;
let page;

before(async () => {
  await hub.start();
  browser = await openBrowser();
  tab = await openTab(browser.context);
  page = tab.page;
});

after(async () => {
  await browser?.close();
  await hub.dispose();
});

async function send(frame) {
  await page.getByLabel('Frame, JSON').fill(JSON.stringify(frame));
  await page.getByRole('form', { name: 'Send a frame' }).getByRole('button').click();
}

const publish = (n) => send({ type: 'publish', payload: { topic: 'events', data: { n } } });
const answered = (text) => page.locator('[data-exchange="answered"]', { hasText: text });
const offset = () => page.locator('[data-topic="events"] td').nth(1).innerText();

test('after a restart of the hub the page recovers its topics without a gap, and sends what waited', async () => {
  await page.goto(hub.login_url);
  await waitForPhase(page, 'live');
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Live Console' }).click();
  await page.locator('[data-topic="events"]').waitFor();
  for (const n of [1, 2, 3]) await publish(n);
  await answered('"published"').nth(2).waitFor();
  await page.waitForFunction(() => document.querySelector('[data-topic="events"]')?.cells[1].textContent === '3');

  tab.network_noise_allowed = true;
  await hub.stop();
  await page.locator('[data-moment="offline"], [data-moment="draining"]').first().waitFor();
  await waitForPhase(page, 'offline', 'connecting');
  await publish(4);
  await page.locator('[data-waiting="1"]').waitFor();
  await page.locator('[data-exchange="waiting"]').waitFor();

  await hub.start();
  await waitForPhase(page, 'live');
  await answered('"published"').nth(3).waitFor();
  await page.locator('[data-waiting]').waitFor({ state: 'detached' });
  await page.waitForFunction(() => document.querySelector('[data-topic="events"]')?.cells[3].textContent === '4');
  assert.equal(await offset(), '4', 'the topic goes on in its epoch');
  await page.locator('[data-gaps="0"]').waitFor();
  const recovered = Number(await page.locator('[data-recovered]').getAttribute('data-recovered'));
  assert.ok(recovered >= 3, `${recovered} topics recovered`);
  await page.locator('[data-moment="live"]', { hasText: /topics recovered/ }).first().waitFor();
  assert.deepEqual(tab.errors.splice(0), [], 'errors on the console of the page');
});

test('without a socket the page polls over HTTP and says so, and goes back to the socket without a gap', async () => {
  const other = await openTab(browser.context);
  // A proxy that speaks no WebSocket: open sockets break, new ones are refused.
  let blocked = false;
  const sockets = new Set();
  await other.page.routeWebSocket(/\/ws\//, (socket) => {
    if (blocked) {
      socket.close({ code: 3999 });
      return;
    }
    socket.connectToServer();
    sockets.add(socket);
  });
  await other.page.goto(hub.url('/console'));
  await waitForPhase(other.page, 'live');
  await other.page.locator('[data-topic="metrics_update"]').waitFor();
  const received = async () => Number(await other.page.locator('[data-topic="metrics_update"] td').nth(3).innerText());
  other.network_noise_allowed = true;
  blocked = true;
  for (const socket of sockets) await socket.close({ code: 3999 });
  await other.page.locator('[data-fallback="poll"]').waitFor({ timeout: 20_000 });
  await other.page.locator('[data-notice="connection"]', { hasText: 'Values come by polling over HTTP instead' }).waitFor();
  await other.page.locator('[data-moment="polling"]').waitFor();
  const first = await received();
  await other.page.waitForFunction((old) => Number(document.querySelector('[data-topic="metrics_update"]')?.cells[3].textContent) > old, first);
  // A message while the page polls, one after it is back: both arrive, once.
  const epoch_offset = async () => Number(await other.page.locator('[data-topic="events"] td').nth(1).innerText());
  const before_it = await epoch_offset();
  await publish(5);
  await other.page.waitForFunction((old) => Number(document.querySelector('[data-topic="events"]')?.cells[1].textContent) > old, before_it);
  blocked = false;
  await waitForPhase(other.page, 'live');
  await publish(6);
  await other.page.waitForFunction((old) => Number(document.querySelector('[data-topic="events"]')?.cells[1].textContent) > old + 1, before_it);
  assert.equal(await other.page.locator('[data-gaps]').getAttribute('data-gaps'), '0');
  assert.equal(await other.page.locator('[data-topic="events"] td').nth(3).innerText(), '2');
  assert.deepEqual(other.errors, [], 'errors on the console of the page');
  await other.page.close();
});
