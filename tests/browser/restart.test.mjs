import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser, openTab, waitForPhase } from './browser.mjs';
import { Hub } from './hub.mjs';

const hub = new Hub();
let browser;

before(async () => {
  await hub.start();
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await hub.dispose();
});

test('when the hub goes away the page keeps its values, says how old they are, and is live again by itself', async () => {
  const tab = await openTab(browser.context);
  const { page } = tab;
  await page.goto(hub.login_url);
  const cpu = page.locator('[data-kpi="cpu_percent"] .kpi-value');
  await cpu.filter({ hasText: /\d/ }).waitFor();
  await waitForPhase(page, 'live');

  tab.network_noise_allowed = true;
  await hub.stop();
  await waitForPhase(page, 'offline');
  const notice = page.locator('[data-notice="connection"]');
  await notice.filter({ hasText: /values below are \d+ s old/ }).waitFor();
  assert.match(await cpu.innerText(), /\d/, 'the last values stay');
  await notice.filter({ hasText: /Next attempt in \d+ s/ }).waitFor();
  await notice.filter({ hasText: /values below are [2-9] s old/ }).waitFor();

  await hub.start();
  await waitForPhase(page, 'live');
  await notice.waitFor({ state: 'detached' });
  const [old] = await cpu.allInnerTexts();
  await page.waitForFunction((text) => document.querySelector('[data-kpi="cpu_percent"] .kpi-value')?.textContent !== text, old);
  assert.deepEqual(tab.errors, [], 'errors on the console of the page');
});

test('signing out ends the session here, and the sign-in view refuses a wrong password in words', async () => {
  const tab = await openTab(browser.context);
  const { page } = tab;
  // The browser reports every 401 on its console, and a refused sign-in is one.
  tab.network_noise_allowed = true;
  await page.goto(hub.url('/connections'));
  await waitForPhase(page, 'live');
  await page.getByRole('main').getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await page.getByLabel('User name').fill('nobody');
  await page.getByLabel('Password').fill('wrong password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').filter({ hasText: 'User name or password is wrong.' }).waitFor();
  assert.deepEqual(tab.errors, [], 'errors on the console of the page');
});
