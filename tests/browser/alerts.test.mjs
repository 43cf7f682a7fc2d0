import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { callHub, DESK, openBrowser, openTab, overflow, PHONE, waitForPhase } from './browser.mjs';
import { Hub } from './hub.mjs';

const hub = new Hub().withoutRules();
let browser;
let tab;
let page;

before(async () => {
  await hub.start();
  hub.addUser('olga', 'operator');
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

async function open(path) {
  await page.goto(hub.url(path));
  await waitForPhase(page, 'live');
}

/** What the hub answers; it has to be well. */
async function call(...request) {
  const { status, body } = await callHub(page, ...request);
  assert.ok(status < 300, `${request[0]} ${request[1]}: ${status} ${JSON.stringify(body)}`);
  return body;
}

const row = (title, where = page) => where.locator('tr[data-alert]', { hasText: title });
/** By the begin of its label, which also has what is wrong with it. */
const field = (name) => page.getByRole('form', { name: 'Rule' }).getByLabel(new RegExp(`^${name}`));

/** From here on the list is not read again: what changes on it has come over the socket. */
const holdReads = (where) => where.route('**/api/v1/alerts/search', () => undefined);

/** A second browser of another person. */
async function otherBrowser(name) {
  const context = await browser.context.browser().newContext({ viewport: DESK });
  const own = await openTab(context);
  // Without a session yet, the hub refuses the first refresh.
  own.network_noise_allowed = true;
  await own.page.goto(hub.url('/alerts'));
  await own.page.getByLabel('User name').fill(name);
  await own.page.getByLabel('Password').fill(name.repeat(3));
  await own.page.getByRole('button', { name: 'Sign in' }).click();
  await waitForPhase(own.page, 'live');
  return { ...own, close: () => context.close() };
}

test('a rule is made with the form, is told what is wrong, and its alert appears without a reload', async () => {
  await open('/rules/new');
  await page.getByRole('button', { name: 'Make the rule' }).click();
  await page.getByText('3 fields are not as needed.').waitFor();
  await field('Name').fill('CPU is in use');
  await field('Metric').fill('cpu_percent');
  await field('Limit').fill('-1');
  await field('Must hold for').fill('0');
  await field('Run book').fill('ftp://nowhere');
  await page.getByRole('button', { name: 'Make the rule' }).click();
  await page.locator('.field-error', { hasText: 'http or https' }).waitFor();
  // The refusal is what the test asked for.
  tab.errors.length = 0;
  await field('Run book').fill('https://example.org/cpu');
  await field('Title of its alerts').fill('CPU of {{labels.node}} is in use');
  await page.locator('[data-preview="1"]', { hasText: 'It would have fired once on 1 of 1 series' }).waitFor();
  await page.getByLabel('Values, one after the other').fill('-2, 50x2, -5');
  await page.locator('[data-test-values="4"]').waitFor();
  assert.deepEqual(await page.locator('[data-test-values] tbody td:nth-child(3)').allInnerTexts(), ['ok', 'firing', 'firing', 'ok']);
  const watching = await otherBrowser('viewer');
  await watching.page.getByText('Open alerts').waitFor();
  await watching.page.getByText('Nothing is wrong').waitFor();
  assert.equal(await row('is in use', watching.page).count(), 0);
  await holdReads(watching.page);
  await page.getByRole('button', { name: 'Make the rule' }).click();
  await page.locator('[data-rule-state="firing"]').first().waitFor();
  await row('is in use', watching.page).waitFor();
  assert.match(await row('is in use', watching.page).innerText(), /value [\d.]+ > -1/);
  assert.ok(await row('is in use', watching.page).getByRole('button', { name: /^Acknowledge/ }).isDisabled(), 'a viewer acknowledges nothing');
  assert.deepEqual(watching.errors, [], 'errors on the console of the page');
  await watching.close();
});

test('what one acknowledges changes in the other browser, with the name and the comment', async () => {
  await open('/alerts');
  await row('is in use').waitFor();
  const other = await otherBrowser('olga');
  await holdReads(page);
  await row('is in use', other.page).getByRole('button', { name: /^Acknowledge/ }).click();
  await other.page.getByLabel('Comment (optional)').fill('I look into it');
  await other.page.keyboard.press('Enter');
  await row('is in use').and(page.locator('[data-state="acknowledged"]')).waitFor();
  await row('is in use').getByText('olga').waitFor();
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await row('is in use').getByRole('link', { name: /is in use/ }).click();
  await page.locator('[data-step="acknowledged"]', { hasText: 'I look into it' }).waitFor();
  await page.locator('[data-explained="firing"]').waitFor();
  // Of a time before the rule was made the hub says so, and nothing else.
  await page.getByLabel('at that time').fill('2026-01-01T03:12:00');
  await page.locator('[data-explained-at^="20"]', { hasText: 'the rule was made at' }).waitFor();
  await page.locator('[data-explained="ok"]', { hasText: 'no alert had begun' }).waitFor();
  await page.getByRole('button', { name: 'Now', exact: true }).click();
  await page.locator('[data-explained="firing"]').waitFor();
  assert.deepEqual(other.errors, [], 'errors on the console of the page');
  await other.close();
});

test('many are selected by keys and resolved at once; the counts and the bell follow', async () => {
  await open('/alerts');
  for (const region of ['north', 'south']) {
    await call('POST', '/api/v1/alerts', { service: 'shop', severity: 'critical', title: `Payments fail in the ${region}`, message: 'made up', labels: { region, synthetic: 'true' } });
  }
  await row('in the north').waitFor();
  await row('in the south').waitFor();
  await page.locator('[data-count="critical"] strong', { hasText: '2' }).waitFor();
  await page.getByRole('button', { name: /^Alerts: 2 critical/ }).waitFor();
  await page.getByLabel('Service', { exact: true }).selectOption('shop');
  await row('is in use').waitFor({ state: 'detached' });
  await page.locator('body').press('j');
  await page.keyboard.press('x');
  await page.keyboard.press('j');
  await page.keyboard.press('x');
  await page.getByRole('region', { name: 'Selected alerts' }).getByText('2 selected').waitFor();
  await page.keyboard.press('r');
  await page.getByRole('dialog').getByText('Resolve 2 alerts?').waitFor();
  await page.keyboard.press('Enter');
  await page.locator('[data-count="critical"] strong', { hasText: '0' }).waitFor();
  await page.locator('[data-count="resolved"]').click();
  await row('in the north').and(page.locator('[data-state="resolved"]')).waitFor();
  const search = new URL(page.url()).search;
  await page.reload();
  await row('in the south').waitFor();
  assert.equal(new URL(page.url()).search, search, 'what is shown stands in the address');
});

test('the list leaves as a file', async () => {
  await open('/alerts?state=all');
  await row('in the north').waitFor();
  await page.getByRole('button', { name: 'Export' }).click();
  const waiting = page.waitForEvent('download');
  await page.getByRole('menuitem', { name: 'CSV' }).click();
  const file = await (await waiting).createReadStream();
  const chunks = await file.toArray();
  assert.match(Buffer.concat(chunks).toString(), /Payments fail in the north/);
});

test('alerts like one are silenced, and the window is listed with its end', async () => {
  await open('/alerts?state=all');
  await row('is in use').getByRole('link', { name: /is in use/ }).click();
  await page.getByRole('button', { name: 'Silence like this' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: '8 h' }).click();
  await dialog.getByRole('button', { name: 'Silence', exact: true }).click();
  await dialog.getByText(/^Silenced until/).waitFor();
  await dialog.getByRole('link', { name: 'All suppression windows' }).click();
  await page.locator('[data-window-state="active"]', { hasText: /7 h 59 min left|8 h left/ }).waitFor();
});

test('a window that comes again shows its next begins before it is made', async () => {
  await open('/rules?tab=suppression');
  await page.getByRole('button', { name: 'New window' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('Nightly backup');
  await dialog.getByRole('button', { name: 'Again and again' }).click();
  await dialog.getByLabel('Time zone').fill('Asia/Tokyo');
  await dialog.locator('[data-occurrences="5"]', { hasText: '02:00' }).waitFor();
  await dialog.getByRole('button', { name: 'Make it' }).click();
  await dialog.getByText('Say which alerts').waitFor();
  await dialog.getByLabel('Alerts with labels').fill('node=~"db-.*"');
  await dialog.getByRole('button', { name: 'Make it' }).click();
  await page.locator('[data-window="Nightly backup"]', { hasText: 'Asia/Tokyo' }).waitFor();
});

test('a rule that somebody else changed meanwhile is not overwritten', async () => {
  const { items } = await call('GET', '/api/v1/rules');
  const rule = items.find((one) => one.name === 'CPU is in use');
  await open(`/rules/${rule.id}`);
  await field('Limit').fill('-2');
  await call('PUT', `/api/v1/rules/${rule.id}`, { ...rule, value: -3 });
  await page.getByText(/changed this rule meanwhile/).waitFor();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('[data-notice="conflict"]').waitFor();
  tab.errors.length = 0;
  await page.getByRole('button', { name: 'Reload' }).click();
  await page.waitForFunction(() => [...document.querySelectorAll('form input')].some((input) => input.value === '-3'));
});

test('rules are deleted after a question, and that can be taken back', async () => {
  await open('/rules');
  await page.getByRole('checkbox', { name: 'Select CPU is in use' }).check();
  await page.getByRole('region', { name: 'Selected rules' }).getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
  await page.locator('[data-notice="deleted"]', { hasText: 'CPU is in use is deleted.' }).waitFor();
  await page.getByRole('link', { name: 'CPU is in use' }).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByRole('link', { name: 'CPU is in use' }).waitFor();
});

test('nothing scrolls sideways on a phone', async () => {
  await page.setViewportSize(PHONE);
  const { items } = await call('GET', '/api/v1/alerts?state=resolved');
  const rules = await call('GET', '/api/v1/rules');
  for (const path of [
    '/alerts?state=all', `/alerts/${items[0].id}`, '/rules', `/rules/${rules.items[0].id}`, '/rules/new', '/rules?tab=suppression', '/rules?tab=inhibitions', '/rules?tab=escalation',
  ]) {
    await open(path);
    await page.locator('.skeleton').first().waitFor({ state: 'detached' });
    assert.ok((await overflow(page)) <= 0, `${path} is wider than the screen`);
  }
  await page.setViewportSize(DESK);
});
