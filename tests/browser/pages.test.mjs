import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { ARTIFACTS, callHub, DESK, openBrowser, openTab, PHONE, waitForPhase } from './browser.mjs';
import { Hub } from './hub.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const README_PICTURE = fileURLToPath(new URL('../../docs/images/command-center.png', import.meta.url));
const PAGES = [
  ['command-center', '/'], ['alerts', '/alerts'], ['rules', '/rules'], ['rule', '/rules/cpu-in-use'], ['new-rule', '/rules/new'],
  ['suppression', '/rules?tab=suppression'], ['inhibitions', '/rules?tab=inhibitions'], ['escalation', '/rules?tab=escalation'], ['nodes', '/nodes'], ['nodes-grid', '/nodes?view=grid'], ['add-node', '/nodes?add=1'], ['node', '/nodes/web-1'],
  ['connections', '/connections'], ['streaming', '/streaming?topic=events'], ['events', '/events'], ['performance', '/performance'],
  ['testing', '/testing'], ['console', '/console'], ['operations', '/operations'],
];
/** What is there once a page has more than its frame to show. */
const FILLED = {
  '/streaming?topic=events': '[data-feed="metrics"] tbody tr', '/events': '[data-frame="subscribed"]', '/performance': '[data-breaker]',
  '/testing': '[data-fault]', '/alerts': 'tr[data-alert]', '/rules': '[data-rule]', '/rules/cpu-in-use': '[data-explained]', '/rules/new': '.template',
  '/rules?tab=suppression': '[data-window]',  '/console': '[data-topic="metrics_update"]',
};
const THEMES = ['dark', 'light', 'ocean', 'sunset'];

const hub = new Hub();
let browser;
let tab;
let stopAgent;

before(async () => {
  await hub.start();
  stopAgent = hub.startAgent('web-1');
  browser = await openBrowser();
  tab = await openTab(browser.context);
  await tab.page.goto(hub.login_url);
  await tab.page.locator('[data-node="web-1"][data-state="online"]').waitFor({ timeout: 15_000 });
  await makeAlerts(tab.page);
});

/** A rule that fires, and something of everything else that the pages about alerts show. */
async function makeAlerts(page) {
  const made = async (path, body) => assert.equal((await callHub(page, 'POST', path, body)).status, 201, path);
  await made('/api/v1/rules', {
    id: 'cpu-in-use', name: 'CPU is in use', kind: 'threshold', metric: 'cpu_percent', comparison: '>', value: -1, severity: 'warning',
    annotations: { title: 'CPU of {{labels.node}} is in use' },
  });
  await made('/api/v1/alerts', { service: 'shop', severity: 'critical', title: 'Payments fail', message: 'made up', labels: { synthetic: 'true' } });
  await made('/api/v1/suppression', { name: 'Nightly backup', cron: '0 2 * * *', time_zone: 'Europe/Berlin', duration_seconds: 7_200, matchers: ['node=~"db-.*"'] });
  await made('/api/v1/inhibitions', { source_matchers: ['severity=critical'], target_matchers: ['severity=info'], equal: ['node'] });
  await made('/api/v1/escalation-policies', { name: 'Platform', levels: [{ delay_seconds: 300, targets: ['alice'] }] });
  await page.goto(hub.url('/alerts'));
  const link = page.getByRole('link', { name: 'CPU of web-1 is in use' });
  PAGES.push(['alert', await link.getAttribute('href')]);
}

after(async () => {
  await browser?.close();
  await stopAgent?.();
  await hub.dispose();
});

/** Opens a page and waits until it shows data rather than its loading state. */
async function show(path) {
  const { page } = tab;
  await page.goto(hub.url(path));
  await waitForPhase(page, 'live');
  await page.locator('.skeleton').first().waitFor({ state: 'detached' });
  const filled = FILLED[path];
  if (filled !== undefined) await page.locator(filled).first().waitFor();
  if (path === '/' || path === '/nodes/web-1' || path === '/performance') {
    await page.locator('.chart-key-value').first().filter({ hasText: /\d/ }).waitFor();
    // The history of the charts is loaded.
    await page.waitForFunction(() => ![...document.querySelectorAll('.chart-note')].some((note) => note.textContent === 'Loading…'));
  }
}

/** Serious and critical findings of axe on what is on screen. */
async function findings() {
  const { page } = tab;
  // The hub's policy allows no inline script; what the debugger evaluates is not under it.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  return violations
    .filter((violation) => violation.impact === 'serious' || violation.impact === 'critical')
    .map((violation) => `${violation.id}: ${violation.nodes.map((node) => `${node.target} ${node.any[0]?.message ?? ''}`).join('; ')}`);
}

async function renewReadmePicture(page) {
  if (process.env.UPDATE_README_IMAGE !== '1') return;
  mkdirSync(dirname(README_PICTURE), { recursive: true });
  await page.screenshot({ path: README_PICTURE });
}

async function choose(theme) {
  const { page } = tab;
  await page.goto(hub.url('/'));
  await page.getByRole('button', { name: /^Theme and account/ }).click();
  await page.getByRole('menuitemradio', { name: theme, exact: false }).click();
  await page.waitForFunction((name) => document.documentElement.dataset.theme === name, theme);
}

test('a chosen theme holds over a reload, and without a choice the system decides', async () => {
  const { page } = tab;
  const surface = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  await page.emulateMedia({ colorScheme: 'light' });
  await show('/operations');
  assert.equal(await surface(), 'rgb(243, 244, 246)');
  await page.emulateMedia({ colorScheme: 'dark' });
  assert.equal(await surface(), 'rgb(17, 18, 23)');
  await choose('ocean');
  await show('/operations');
  assert.equal(await surface(), 'rgb(10, 24, 38)');
});

/** Themes of which pictures are kept. */
const PICTURED = ['dark', 'light'];

for (const theme of THEMES) {
  test(`axe finds nothing serious on any page in ${theme}`, async () => {
    const { page } = tab;
    await page.setViewportSize(DESK);
    await choose(theme);
    for (const [name, path] of PAGES) {
      await show(path);
      assert.deepEqual(await findings(), [], `${name} in ${theme}`);
      if (!PICTURED.includes(theme)) continue;
      await page.screenshot({ path: join(ARTIFACTS, `${name}-${DESK.width}-${theme}.png`) });
      if (name === 'command-center' && theme === 'dark') await renewReadmePicture(page);
    }
  });
}

for (const theme of PICTURED) {
  test(`every page is pictured on a phone in ${theme}`, async () => {
    const { page } = tab;
    await page.setViewportSize(PHONE);
    await choose(theme);
    for (const [name, path] of PAGES) {
      await show(path);
      await page.screenshot({ path: join(ARTIFACTS, `${name}-${PHONE.width}-${theme}.png`), fullPage: true });
    }
    await page.setViewportSize(DESK);
  });
}

test('nothing was reported on the console of the page', () => {
  assert.deepEqual(tab.errors, []);
});
