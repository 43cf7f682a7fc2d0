import assert from 'node:assert/strict';
import { totalmem } from 'node:os';
import { after, afterEach, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { openBrowser, openTab, overflow, PHONE, published, waitForPhase } from './browser.mjs';
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

afterEach(() => {
  assert.deepEqual(tab.errors.splice(0), [], 'errors on the console of the page');
});

const kpi = (series) => page.locator(`[data-kpi="${series}"] .kpi-value`);
const HOST_KPIS = ['cpu_percent', 'memory_percent', 'disk_percent', 'network_rx_bytes_per_s'];
const PAGES = [
  ['/', 'Command Center'], ['/alerts', 'Alerts'], ['/rules', 'Rules'], ['/nodes', 'Nodes'], ['/connections', 'Connections'], ['/streaming', 'Data Streams'], ['/events', 'Event Protocol'],
  ['/performance', 'Performance'], ['/testing', 'Reliability Lab'], ['/console', 'Live Console'], ['/operations', 'Operations'],
];

const figures = () => Promise.all(HOST_KPIS.map((series) => kpi(series).innerText()));

test('the login link shows this host live within two seconds, with no click', async () => {
  const started_ms = performance.now();
  await page.goto(hub.login_url);
  await Promise.all(HOST_KPIS.map((series) => kpi(series).filter({ hasText: /\d/ }).waitFor({ timeout: 2_000 })));
  assert.ok(performance.now() - started_ms < 2_000, `took ${Math.round(performance.now() - started_ms)} ms`);
  await waitForPhase(page, 'live');
  assert.equal(new URL(page.url()).hash, '', 'the login token is taken out of the URL');
  const memory = await page.locator('[data-kpi="memory_percent"] .kpi-detail').innerText();
  const total_gib = Number(/of ([\d.]+) GiB/.exec(memory)?.[1]);
  assert.ok(Math.abs(total_gib - totalmem() / 2 ** 30) < 0.1, `${memory} is the memory of this host`);
});

test('the figures move and the fleet chart is drawn', async () => {
  const before_it = await figures();
  await page.waitForFunction(
    ([series, old]) => series.some((name, index) => document.querySelector(`[data-kpi="${name}"] .kpi-value`)?.textContent !== old[index]),
    [HOST_KPIS, before_it],
    { timeout: 6_000 },
  );
  await page.waitForFunction(() => {
    const canvas = document.querySelector('.chart-plot canvas');
    const line = getComputedStyle(document.documentElement).getPropertyValue('--series-1').trim();
    const wanted = [1, 3, 5].map((at) => parseInt(line.slice(at, at + 2), 16));
    if (!(canvas instanceof HTMLCanvasElement) || canvas.width === 0) return false;
    // Read from a copy: the browser warns when a canvas that is drawn on is read more than once.
    const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height });
    const pen = copy.getContext('2d', { willReadFrequently: true });
    pen.drawImage(canvas, 0, 0);
    const { data } = pen.getImageData(0, 0, copy.width, copy.height);
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] > 200 && wanted.every((value, channel) => Math.abs(data[at + channel] - value) < 12)) return true;
    }
    return false;
  });
});

test('pausing holds the view still without disconnecting', async () => {
  await page.getByRole('button', { name: 'Pause auto-refresh' }).click();
  await page.locator('[data-notice="paused"]').waitFor();
  const held = await figures();
  // Frames that arrive meanwhile are chances to move.
  await published(tab, 4);
  assert.deepEqual(await figures(), held);
  await waitForPhase(page, 'live');
  await page.keyboard.press('p');
  await page.locator('[data-notice="paused"]').waitFor({ state: 'detached' });
  await page.waitForFunction(
    ([series, old]) => series.some((name, index) => document.querySelector(`[data-kpi="${name}"] .kpi-value`)?.textContent !== old[index]),
    [HOST_KPIS, held],
  );
});

test('every page opens from the navigation and again from its own address', async () => {
  for (const [path, name] of PAGES) {
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name }).click();
    await page.getByRole('heading', { level: 1, name }).waitFor();
    await page.reload();
    await page.getByRole('heading', { level: 1, name }).waitFor();
    await waitForPhase(page, 'live');
    assert.equal(new URL(page.url()).pathname, path);
    assert.equal(await page.locator('.failure').count(), 0, `${name} shows no failure`);
  }
});

test('the first page weighs less than 250 kB compressed', async () => {
  const other = await openTab(browser.context);
  const bodies = [];
  other.page.on('response', (response) => {
    if (/document|script|stylesheet/.test(response.request().resourceType())) bodies.push(response.body());
  });
  await other.page.goto(hub.url('/'));
  await waitForPhase(other.page, 'live');
  const weight = (await Promise.all(bodies)).reduce((sum, body) => sum + gzipSync(body).length, 0);
  assert.ok(bodies.length > 2 && weight < 250_000, `${bodies.length} files, ${Math.round(weight / 1000)} kB`);
  await other.page.close();
});

/** Resolves after the page has had so many chances to draw. Runs in the page. */
function frames(count) {
  return new Promise((resolve) => {
    const next = (left) => (left > 0 ? requestAnimationFrame(() => next(left - 1)) : resolve());
    next(count);
  });
}

test('no page keeps the browser busy', async () => {
  const session = await browser.context.newCDPSession(page);
  await session.send('Performance.enable');
  const read = async () => {
    const { metrics } = await session.send('Performance.getMetrics');
    return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
  };
  for (const [path] of PAGES) {
    await page.goto(hub.url(path));
    await waitForPhase(page, 'live');
    await page.locator('.skeleton').first().waitFor({ state: 'detached' });
    const first = await read();
    // Each page hears of the hub again and again, the Live Console over its socket alone: twice is a while of ordinary life.
    // The Reliability Lab hears nothing while nothing runs.
    if (path === '/console') await published(tab, 4);
    else if (path === '/testing') await page.evaluate(frames, 120);
    else for (let seen = 0; seen < 2; seen += 1) await page.waitForResponse((response) => response.url().includes('/api/'), { timeout: 15_000 });
    const last = await read();
    const share = (last.ScriptDuration - first.ScriptDuration) / (last.Timestamp - first.Timestamp);
    assert.ok(share < 0.5, `${path} runs scripts ${Math.round(share * 100)} % of the time`);
  }
  await session.detach();
});

test('time range and filters survive a reload', async () => {
  await page.goto(hub.url('/?range=5m'));
  await page.getByRole('button', { name: 'Time range: 5 min' }).waitFor();
  await page.goto(hub.url('/nodes'));
  await page.getByRole('searchbox').fill('no such node');
  await page.getByText('No node matches the filters').waitFor();
  await page.reload();
  await page.getByText('No node matches the filters').waitFor();
  assert.equal(await page.getByRole('searchbox').inputValue(), 'no such node');
});

test('the operations page shows every health check and the supervision tree', async () => {
  await page.goto(hub.url('/operations'));
  for (const check of ['store', 'disk_space', 'memory', 'mailboxes', 'event_loop']) {
    await page.locator(`[data-check="${check}"] .status`).waitFor();
  }
  const rows = page.getByRole('region', { name: 'Supervision tree' }).locator('tbody tr');
  await rows.first().waitFor();
  const open = await rows.count();
  assert.ok(open > 3, `${open} kinds`);
  await page.getByRole('button', { name: /^Kinds under/ }).first().click();
  await page.waitForFunction((count) => document.querySelectorAll('[aria-label="Supervision tree"] tbody tr').length < count, open);
});

test('the agent command can be copied', async () => {
  await page.goto(hub.url('/nodes'));
  await page.getByRole('button', { name: 'Add a node' }).click();
  await page.getByRole('button', { name: 'Copy the command' }).click();
  await page.getByText('Copied').waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(copied, `infrawatch agent --hub ws://${hub.address} --token "$(infrawatch token --role agent --node web-1)"`);
  await page.keyboard.press('Escape');
});

test('an agent appears as a second node, and goes late and then offline when it stops', async () => {
  await page.goto(hub.url('/'));
  await waitForPhase(page, 'live');
  const card = (state) => page.locator(`[data-node="web-1"][data-state="${state}"]`);
  const stop = hub.startAgent('web-1');
  try {
    await card('online').waitFor({ timeout: 10_000 });
    await card('online').getByRole('meter', { name: 'CPU' }).and(page.locator('[aria-valuenow]')).waitFor();
    await page.locator('.chart-key', { hasText: 'web-1' }).waitFor();
    await page.goto(hub.url('/nodes/web-1'));
    await page.getByRole('heading', { name: 'CPU by core' }).waitFor();
    await page.locator('.chart-key-value').first().filter({ hasText: /\d/ }).waitFor();
    await page.goto(hub.url('/'));
    await card('online').waitFor();
  } finally {
    await stop();
  }
  await card('late').waitFor({ timeout: 15_000 });
  await card('offline').waitFor({ timeout: 25_000 });
});

test('the palette finds pages, nodes, topics and actions, by keyboard alone', async () => {
  await page.goto(hub.url('/operations?range=5m'));
  await waitForPhase(page, 'live');
  await page.keyboard.press('Control+k');
  const box = page.getByRole('dialog').getByRole('combobox');
  await box.waitFor();
  await page.waitForFunction(() => document.activeElement?.getAttribute('role') === 'combobox');
  await page.keyboard.type('web-1');
  await page.locator('[data-command="node web-1"][aria-selected="true"]').waitFor();
  const named = await box.getAttribute('aria-activedescendant');
  assert.equal(await page.locator('[aria-selected="true"]').getAttribute('id'), named, 'the chosen one is told to screen readers');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'web-1' }).waitFor();
  assert.equal(new URL(page.url()).search, '?range=5m', 'the time range goes along');
  await page.keyboard.press('Control+k');
  await box.fill('metrics_update');
  await page.locator('[data-command="topic metrics_update"][aria-selected="true"]').waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Messages of metrics_update' }).waitFor();
  await page.keyboard.press('Control+k');
  await box.fill('pause');
  await page.keyboard.press('Enter');
  await page.locator('[data-notice="paused"]').waitFor();
  await page.keyboard.press('p');
  await page.keyboard.press('Control+k');
  await box.fill('no such thing');
  await page.getByText('Nothing is called that.').waitFor();
  await page.keyboard.press('Escape');
  await box.waitFor({ state: 'detached' });
});

test('a session can be disconnected after a question', async () => {
  const other = await openTab(browser.context);
  await other.page.goto(hub.url('/operations'));
  await waitForPhase(other.page, 'live');
  await other.page.getByRole('button', { name: /^Connection/ }).click();
  const client_id = await other.page.locator('.popover dd', { hasText: /^console-/ }).innerText();
  // The phase changes for moments only, so the page itself keeps what it was.
  await other.page.evaluate(() => {
    window.phases = [];
    new MutationObserver(() => window.phases.push(document.querySelector('[data-connection]')?.dataset.connection))
      .observe(document.body, { subtree: true, attributes: true, attributeFilter: ['data-connection'] });
  });
  await page.goto(hub.url('/connections'));
  await page.getByRole('searchbox').fill(client_id);
  const ask = page.getByRole('button', { name: `Disconnect ${client_id}` });
  await ask.click();
  await page.getByRole('button', { name: 'Keep it' }).click();
  await page.getByRole('alertdialog').waitFor({ state: 'detached' });
  assert.deepEqual(await other.page.evaluate(() => window.phases), [], 'nothing happens before the answer');
  await ask.click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Disconnect', exact: true }).click();
  await page.getByRole('alertdialog').waitFor({ state: 'detached' });
  await other.page.waitForFunction(() => window.phases.some((phase) => phase !== 'live'));
  assert.deepEqual(other.errors, []);
  await other.page.close();
});

test('charts can be read by keyboard', async () => {
  await page.goto(hub.url('/'));
  await page.locator('.chart-key-value').first().filter({ hasText: /\d/ }).waitFor();
  const chart = page.getByRole('application', { name: /CPU of the fleet/ });
  await chart.focus();
  await page.keyboard.press('End');
  await page.keyboard.press('ArrowLeft');
  await page.locator('figure [aria-live="polite"]', { hasText: /^\d\d:\d\d:\d\d: .*%/ }).waitFor({ state: 'attached' });
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'CPU of the fleet: table of values' }).click();
  await page.locator('.chart-table tbody tr').first().waitFor();
});

test('no page scrolls sideways on a phone, and its drawer works by keyboard', async () => {
  await page.setViewportSize(PHONE);
  for (const path of ['/nodes/web-1', ...PAGES.map(([path]) => path)]) {
    await page.goto(hub.url(path));
    await waitForPhase(page, 'live');
    await page.locator('.skeleton').first().waitFor({ state: 'detached' });
    assert.equal(await overflow(page), 0, `${path} at ${PHONE.width} px`);
  }
  await page.getByRole('button', { name: 'Pages', exact: true }).press('Enter');
  await page.getByRole('dialog').getByRole('link', { name: 'Nodes' }).press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Nodes' }).waitFor();
});

test('the palette has a button where there is no keyboard', async () => {
  await page.setViewportSize(PHONE);
  await page.goto(hub.url('/performance'));
  await waitForPhase(page, 'live');
  const title = page.getByRole('heading', { level: 1, name: 'Performance' });
  assert.ok(await title.evaluate((heading) => heading.scrollWidth <= heading.clientWidth), 'the title has its room beside it');
  await page.getByRole('button', { name: 'Search pages, nodes, topics and actions' }).click();
  await page.getByRole('combobox').fill('nodes');
  await page.locator('[data-command="page /nodes"]').click();
  await page.getByRole('heading', { level: 1, name: 'Nodes' }).waitFor();
});
