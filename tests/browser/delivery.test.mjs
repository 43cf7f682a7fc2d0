import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { openBrowser, openTab, published, waitForPhase, callHub } from './browser.mjs';
import { Hub } from './hub.mjs';

const hub = new Hub().withoutRules();
let browser;
let tab;
let page;

before(async () => {
  await hub.start();
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

const call = (...request) => callHub(page, ...request);

async function open(path) {
  await page.goto(hub.url(path));
  await waitForPhase(page, 'live', 'degraded');
}

const feed = (name) => page.locator(`[data-feed="${name}"]`);

test('a published message appears in the feed of its topic, and the answer of the hub is shown', async () => {
  await open('/streaming?topic=events');
  await page.getByText('No message yet').waitFor();
  const form = page.getByRole('form', { name: 'Publish a message' });
  await form.getByLabel('Data, JSON').fill('{"order": 4711}');
  await form.getByLabel('Key (optional)').fill('k-1');
  await form.getByRole('button', { name: 'Publish' }).click();
  await page.locator('[data-answer="published"]', { hasText: /Published to events as offset \d+/ }).waitFor();
  await feed('events').locator('tbody tr', { hasText: '{"order":4711}' }).filter({ hasText: 'k-1' }).waitFor();
  // What somebody else publishes comes as well, and what was there before is read after a reload.
  await call('POST', '/api/v1/events/publish', { type: 'order.paid', payload: { order: 4712 }, priority: 'critical' });
  await feed('events').locator('tbody tr', { hasText: '{"order":4712}' }).filter({ hasText: 'critical' }).waitFor();
  await page.reload();
  await feed('events').locator('tbody tr', { hasText: '{"order":4711}' }).waitFor();
  assert.equal(await feed('events').locator('tbody tr').count(), 2, 'live and history overlap without doubles');
});

test('the publish box says what is wrong before anything is sent', async () => {
  await open('/streaming');
  const form = page.getByRole('form', { name: 'Publish a message' });
  await form.getByRole('textbox', { name: 'Topic' }).fill('no spaces please');
  await form.getByLabel('Data, JSON').fill('{');
  await form.getByRole('button', { name: 'Publish' }).click();
  await form.getByText('Letters, digits and . _ : - only').waitFor();
  await form.getByText(/^Not JSON/).waitFor();
  assert.equal(await page.locator('[data-answer]').count(), 0);
  await form.getByRole('textbox', { name: 'Topic' }).fill('metrics_update');
  await form.getByLabel('Data, JSON').fill('1');
  await form.getByRole('button', { name: 'Publish' }).click();
  await page.locator('[data-answer]').waitFor();
});

test('topics are listed with what they carry, and can be filtered and sorted', async () => {
  await open('/streaming');
  const topics = page.getByRole('region', { name: 'Topics' });
  const row = topics.locator('tbody tr', { hasText: /^metrics_update/ });
  await row.filter({ hasText: 'latest' }).waitFor();
  await page.waitForFunction(() => [...document.querySelectorAll('[aria-label="Topics"] tbody tr')].some((line) => line.textContent.startsWith('metrics_update') && Number(line.cells[5].textContent) > 0));
  await page.getByRole('searchbox').fill('critical');
  await topics.locator('tbody tr', { hasText: 'alerts_critical' }).waitFor();
  assert.equal(await topics.locator('tbody tr', { hasText: 'metrics_update' }).count(), 0);
  await feed('metrics').locator('tbody tr').nth(2).waitFor();
});

test('an alert appears without a reload, and only of the severity that was asked for', async () => {
  await open('/streaming');
  await page.getByText('No alert yet').waitFor();
  const raised = await call('POST', '/api/v1/streaming/alerts', { severity: 'critical', title: 'Disk full on db-2', message: '212 MiB left' });
  assert.equal(raised.status, 201);
  await feed('alerts').getByText('Disk full on db-2').waitFor();
  await page.getByLabel('Severity').selectOption('info');
  await page.getByText('No info alert').waitFor();
  await page.reload();
  await page.getByText('No info alert').waitFor();
  await page.getByLabel('Severity').selectOption('');
  await feed('alerts').getByText('Disk full on db-2').waitFor();
});

test('the inspector shows frames in both directions, filters, holds, and opens one by keyboard', async () => {
  await open('/events');
  const rows = page.locator('[data-frame]');
  await page.locator('[data-frame="subscribe"][data-direction="out"]').first().waitFor();
  await page.locator('[data-frame="subscribed"][data-direction="in"]', { hasText: /\d ms/ }).first().waitFor();
  await page.getByRole('button', { name: 'out', exact: true }).click();
  await page.waitForFunction(() => {
    const shown = [...document.querySelectorAll('[data-frame]')];
    return shown.length > 0 && shown.every((row) => row.dataset.direction === 'out');
  });
  await page.getByRole('button', { name: 'both ways' }).click();
  await page.getByRole('searchbox').fill('metrics_update cpu_percent');
  await page.waitForFunction(() => {
    const shown = [...document.querySelectorAll('[data-frame]')];
    return shown.length > 1 && shown.every((row) => row.dataset.frame === 'message' || row.dataset.frame === 'batch');
  });
  await page.getByRole('button', { name: 'Hold' }).click();
  const held = await rows.allInnerTexts();
  await published(tab, 3);
  await page.waitForFunction(() => Number(document.querySelector('[data-held]')?.dataset.held) >= 2);
  assert.deepEqual(await rows.allInnerTexts(), held, 'a held list stands still');
  await page.getByRole('listbox', { name: 'Frames, newest first' }).focus();
  await page.keyboard.press('ArrowDown');
  await page.locator('[data-detail] .json', { hasText: '"cpu_percent"' }).waitFor();
  await page.keyboard.press('Escape');
  await page.locator('[data-detail]').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Resume', exact: true }).click();
  await page.waitForFunction((old) => document.querySelector('[data-frame]')?.innerText !== old, held[0]);
});

test('the inspector keeps up with a thousand frames a second', async () => {
  await open('/events');
  const session = await browser.context.newCDPSession(page);
  await session.send('Performance.enable');
  const read = async () => Object.fromEntries((await session.send('Performance.getMetrics')).metrics.map(({ name, value }) => [name, value]));
  const first = await read();
  const sent = await page.evaluate(async () => {
    const { access_token } = await (await fetch('/api/v1/connections/refresh', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })).json();
    const socket = new WebSocket(`ws://${location.host}/ws/flood-1`, ['infrawatch.v1.json', `bearer.${access_token}`]);
    let answers = 0;
    await new Promise((resolve) => (socket.onmessage = resolve));
    const done = new Promise((resolve) => {
      socket.onmessage = () => (answers += 1) === 2_000 && resolve();
    });
    // What is critical leaves at once: each message is a frame of its own.
    for (let at = 0; at < 2_000; at += 50) {
      for (let n = at; n < at + 50; n += 1) socket.send(JSON.stringify({ type: 'publish', id: String(n), payload: { topic: 'events', data: { n }, priority: 'critical' } }));
      await new Promise((resolve) => setTimeout(resolve, 45));
    }
    await done;
    socket.close();
    return answers;
  });
  assert.equal(sent, 2_000);
  await page.getByRole('searchbox').fill('"n":1999');
  await page.locator('[data-frame="message"], [data-frame="batch"]').first().waitFor();
  const last = await read();
  const share = (last.ScriptDuration - first.ScriptDuration) / (last.Timestamp - first.Timestamp);
  assert.ok(share < 0.6, `scripts run ${Math.round(share * 100)} % of the time`);
  assert.ok((await page.locator('[data-frame]').count()) < 60, 'only the rows on screen exist');
  await session.detach();
});

test('a shared document takes puts, counts versions, and tells a conflict', async () => {
  tab.network_noise_allowed = true; // The browser logs that a document of this name is not there yet.
  await open('/events?doc=runbook');
  await page.getByText('There is no document of this name yet').waitFor();
  const form = page.getByRole('form', { name: 'Change runbook' });
  await form.getByLabel('Key').fill('owner');
  await form.getByLabel('Value, JSON').fill('"ann"');
  await form.getByRole('button', { name: 'Put' }).click();
  await page.locator('[data-outcome="published"]', { hasText: 'Applied as version 1' }).waitFor();
  tab.network_noise_allowed = false;
  await page.locator('[data-key="owner"]', { hasText: '"ann"' }).waitFor();
  await form.getByLabel('Value, JSON').fill('"bob"');
  await form.getByLabel(/^Base version/).fill('0');
  await form.getByText('this put is a conflict').waitFor();
  await form.getByRole('button', { name: 'Put' }).click();
  await page.locator('[data-outcome="published"]', { hasText: 'It was a conflict, and this put won' }).waitFor();
  await page.locator('[data-conflicts="1"]').waitFor();
  await page.locator('[data-key="owner"]', { hasText: '"bob"' }).waitFor();
});

test('what is published for this client is received, acknowledged and gone from its queue', async () => {
  await open('/events');
  await page.getByRole('button', { name: /^Connection/ }).click();
  const client_id = await page.locator('.popover dd', { hasText: /^console-/ }).innerText();
  await page.keyboard.press('Escape');
  const answer = await call('POST', '/api/v1/events/publish', { type: 'greeting', payload: { hello: 'you' }, client_id });
  assert.equal(answer.body.queued, true);
  await feed('personal').getByText('{"hello":"you"}').waitFor();
  await page.locator('[data-queue="0"]').waitFor();
  await page.locator('[data-frame="ack"][data-direction="out"]').first().waitFor();
});

test('frames can be sent by hand and are answered, valid or not', async () => {
  await open('/console');
  const form = page.getByRole('form', { name: 'Send a frame' });
  await form.getByRole('button', { name: 'Send' }).click();
  await page.locator('[data-exchange="answered"]', { hasText: '"pong"' }).waitFor();
  await page.getByLabel('Template').selectOption('publish');
  await form.getByRole('button', { name: 'Send' }).click();
  await page.locator('[data-exchange="answered"]', { hasText: '"published"' }).waitFor();
  await form.getByLabel('Frame, JSON').fill('nonsense');
  await form.getByText('It goes out as it is.').waitFor();
  await form.getByRole('button', { name: 'Send' }).click();
  await page.locator('[data-exchange="refused"]', { hasText: 'invalid_json' }).waitFor();
  await page.locator('[data-moment="live"]').first().waitFor();
  await page.locator('[data-gaps="0"]').waitFor();
});

test('a breaker that is open shows as degraded on every page and refuses, until it is closed again', async () => {
  const other = await openTab(browser.context);
  await other.page.goto(hub.url('/'));
  await waitForPhase(other.page, 'live');
  await open('/performance');
  const card = page.locator('[data-breaker="streaming"]');
  await card.and(page.locator('[data-state="closed"]')).waitFor();
  await card.getByRole('button', { name: 'Degrade streaming' }).click();
  await card.and(page.locator('[data-state="open"]')).waitFor();
  await waitForPhase(page, 'degraded');
  await waitForPhase(other.page, 'degraded');
  await other.page.locator('[data-notice="connection"]', { hasText: 'streaming' }).waitFor();
  // Who comes later learns it as well.
  await other.page.goto(hub.url('/streaming'));
  await waitForPhase(other.page, 'degraded');
  await other.page.getByRole('button', { name: 'Publish' }).click();
  await other.page.locator('[data-answer="refused"]', { hasText: 'breaker_open' }).waitFor();
  await card.getByRole('button', { name: 'Recover streaming' }).click();
  await card.and(page.locator('[data-state="closed"]')).waitFor();
  await waitForPhase(page, 'live');
  await waitForPhase(other.page, 'live');
  assert.deepEqual(other.errors, []);
  await other.page.close();
});

test('the performance page shows latencies of what was delivered, and their course', async () => {
  await open('/performance');
  await page.locator('[data-latency="normal"] td', { hasText: /\d ms/ }).first().waitFor();
  await page.getByRole('application', { name: /Delivery latency/ }).waitFor();
  await page.locator('.latency .chart-key-value', { hasText: /\d ms/ }).first().waitFor();
  await page.getByRole('button', { name: 'critical', exact: true }).click();
  await page.getByRole('application', { name: /Delivery latency/ }).waitFor();
  await page.getByRole('button', { name: /critical p99/ }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get('priority'), 'critical');
});

test('a live burst shows a node that is called synthetic', async () => {
  await open('/');
  await page.getByRole('button', { name: 'Run live burst' }).click();
  await page.locator('[data-burst="running"]', { hasText: 'made-up samples' }).waitFor();
  await page.locator('[data-node="synthetic-1"] .tag.synthetic').waitFor();
  await page.locator('[data-node="synthetic-1"] [role="meter"][aria-valuenow]').first().waitFor();
});
