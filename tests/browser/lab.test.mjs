import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { openBrowser, openTab, waitForPhase } from './browser.mjs';
import { Hub } from './hub.mjs';

const hub = new Hub('--lab');
let browser;
let tab;
let page;

before(async () => {
  await hub.start();
  hub.addUser('viewer', 'viewer');
  browser = await openBrowser();
  tab = await openTab(browser.context);
  page = tab.page;
  await page.goto(hub.login_url);
  await waitForPhase(page, 'live');
});

after(async () => {
  await browser?.close();
  await hub.dispose();
});

afterEach(() => {
  assert.deepEqual(tab.errors.splice(0), [], 'errors on the console of the page');
});

async function open(path = '/testing') {
  await page.goto(hub.url(path));
  await waitForPhase(page, 'live', 'degraded');
}

const form = () => page.getByRole('form', { name: 'Start a load test' });
const history = () => page.getByRole('region', { name: 'Runs' }).locator('tbody tr');
const figure = (name) => page.locator(`[data-figure="${name}"] dd > span`).innerText();

/** Starts a small test and waits until it is over. */
async function run(name, connections) {
  await form().getByLabel('Name (optional)').fill(name);
  await form().getByLabel('Connections').fill(String(connections));
  await form().getByLabel('Duration, s').fill('3');
  await form().getByRole('button', { name: 'Start the test' }).click();
  await page.locator('[data-live]').waitFor();
}

test('the form says what is wrong before anything is sent', async () => {
  await open();
  await page.getByText('No test has run yet').waitFor();
  await form().getByLabel('Connections').fill('0');
  await form().getByText('From 1 to 2,000').waitFor();
  await form().getByLabel('Duration, s').fill('soon');
  await form().getByRole('button', { name: 'Start the test' }).click();
  await form().getByText('A number is needed').waitFor();
  await page.getByText('No test has run yet').waitFor();
});

test('a load test is seen live, then its result, then in the history by its own address', async () => {
  await open();
  await run('first', 10);
  await page.locator('[data-live="progress"]').waitFor({ timeout: 20_000 });
  await page.locator('[data-histogram="filled"]').waitFor({ timeout: 20_000 });
  await page.locator('[aria-current="step"]', { hasText: 'steady' }).waitFor();
  assert.ok(await form().getByRole('button', { name: 'Start the test' }).isDisabled(), 'one at a time');
  await page.locator('[data-result="completed"]').waitFor({ timeout: 30_000 });
  await page.getByText('Every message arrived once and in order.').waitFor();
  assert.equal(await figure('Lost'), '0');
  assert.equal(await figure('Success rate'), '100.0 %');
  assert.equal(await figure('Connected'), '10');
  assert.ok(Number((await figure('Delivered')).replaceAll(',', '')) >= 100, `${await figure('Delivered')} delivered`);
  assert.match(await figure('p99'), /^[\d.]+ m?s$/);
  await history().filter({ hasText: 'first' }).waitFor();
  const { search } = new URL(page.url());
  assert.match(search, /^\?run=[0-9a-f-]{36}$/);
  await page.reload();
  await page.getByRole('heading', { level: 2, name: 'first' }).waitFor();
  await page.locator('[data-result="completed"]').waitFor();
});

test('a running test can be stopped', async () => {
  await open();
  await form().getByLabel('Name (optional)').fill('stopped');
  await form().getByLabel('Duration, s').fill('60');
  await form().getByRole('button', { name: 'Start the test' }).click();
  await page.locator('[data-live="progress"]').waitFor({ timeout: 20_000 });
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await page.locator('[data-result="cancelled"]').waitFor({ timeout: 20_000 });
});

test('two runs are compared, and the comparison has an address', async () => {
  await open();
  await run('second', 30);
  await page.locator('[data-result="completed"]').waitFor({ timeout: 30_000 });
  await page.getByRole('checkbox', { name: 'Compare first' }).check();
  await page.getByRole('checkbox', { name: 'Compare second' }).check();
  await page.locator('[data-comparison]').waitFor();
  await page.getByText('They were not asked for the same: 10 connections against 30.').waitFor();
  const row = (name) => page.locator(`[data-compared="${name}"]`);
  assert.equal(await row('Connections').getAttribute('data-verdict'), 'differs');
  assert.match(await row('Connections').innerText(), /10\s+30\s+3\.00 ×/);
  assert.equal(await row('Lost').getAttribute('data-verdict'), 'tie');
  await page.reload();
  await page.locator('[data-comparison]').waitFor();
  await page.getByRole('button', { name: 'Swap' }).click();
  await page.waitForFunction(() => /30\s+10\s+0\.33/.test(document.querySelector('[data-compared="Connections"]')?.innerText ?? ''));
  await page.getByRole('button', { name: 'Close', exact: true }).click();
  await page.locator('[data-comparison]').waitFor({ state: 'detached' });
});

test('chaos reconnect tells how many came back and what they missed', async () => {
  await open();
  const chaos = page.getByRole('form', { name: 'Chaos reconnect' });
  await chaos.getByLabel('Reconnects').fill('20');
  await chaos.getByLabel('Connections').fill('5');
  await chaos.getByRole('button', { name: 'Break connections' }).click();
  const result = page.locator('[data-chaos="completed"]');
  await result.waitFor({ timeout: 60_000 });
  assert.match(await result.innerText(), /Came back\s+100\.0 % \(20 of 20\)/);
  assert.match(await result.innerText(), /Recovery gaps\s+0/);
});

test('a fault is enabled after a question, shown on every page with its metric, and ended', async () => {
  await open();
  const card = page.locator('[data-fault="memory_pressure"]');
  await card.getByRole('button', { name: 'Enable Memory pressure' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel(/MiB/).fill('0');
  await dialog.getByText('From 1 to 2,048').waitFor();
  await dialog.getByLabel(/MiB/).fill('8');
  await dialog.getByRole('button', { name: /^Enable for 30 s/ }).click();
  await card.and(page.locator('[data-state="active"]')).waitFor();
  await card.locator('[data-observed]').filter({ hasText: /\d+(\.\d+)? MiB/ }).waitFor();
  await page.goto(hub.url('/operations'));
  await page.locator('[data-notice="fault"]', { hasText: /Memory pressure, ends in \d+ s/ }).waitFor();
  await page.locator('[data-notice="fault"]').getByRole('link', { name: 'Reliability Lab' }).click();
  await card.getByRole('button', { name: 'End Memory pressure' }).click();
  await page.locator('[data-notice="fault"]').waitFor({ state: 'detached' });
  await card.and(page.locator('[data-state="off"]')).waitFor();
});

test('a viewer sees everything and may start nothing, and is told why', async () => {
  const other = await browser.context.browser().newContext();
  const own = await openTab(other);
  own.network_noise_allowed = true;
  await own.page.goto(hub.url('/testing'));
  await own.page.getByLabel('User name').fill('viewer');
  await own.page.getByLabel('Password').fill('viewerviewerviewer');
  await own.page.getByRole('button', { name: 'Sign in' }).click();
  await waitForPhase(own.page, 'live');
  await own.page.locator('[data-refusal="start"]', { hasText: 'Only operators and admins may start a test; you are a viewer.' }).waitFor();
  assert.ok(await own.page.getByRole('button', { name: 'Start the test' }).isDisabled());
  assert.ok(await own.page.getByRole('button', { name: 'Break connections' }).isDisabled());
  assert.ok(await own.page.getByRole('button', { name: 'Enable Memory pressure' }).isDisabled());
  await own.page.getByRole('region', { name: 'Runs' }).getByRole('button', { name: 'first' }).click();
  await own.page.locator('[data-result="completed"]').waitFor();
  assert.deepEqual(own.errors, [], 'errors on the console of the page');
  await other.close();
});

test('a hub that makes no faults says how one is started that does', async () => {
  const plain = new Hub();
  await plain.start();
  try {
    const own = await openTab(browser.context);
    await own.page.goto(plain.login_url);
    await waitForPhase(own.page, 'live');
    await own.page.goto(plain.url('/testing'));
    await own.page.locator('[data-lab="off"]', { hasText: 'infrawatch serve --lab' }).waitFor();
    assert.ok(await own.page.getByRole('button', { name: 'Enable Slow disk' }).isDisabled());
    assert.deepEqual(own.errors, [], 'errors on the console of the page');
    await own.page.close();
  } finally {
    await plain.dispose();
  }
});
