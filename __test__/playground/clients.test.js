/* global document, window, MutationObserver -- of the page */
'use strict';

// The playground in a browser: what its clients do, on each kind of server.

const assert = require('node:assert/strict');
const { after, before, describe, it } = require('node:test');
const { PaneDriver, launch, openPlayground, serveExample } = require('../support/browser');

/** A figure of a run, with its unit. */
const FIGURE = /^[\d.,]+( ms| µs| s)?$/;

/** The transports that the page offers, and which of them a socket uses in the end. */
const TRANSPORTS = [
  { label: 'WebSocket only', used: 'websocket', polls: false, webSockets: true },
  { label: 'Polling only', used: 'polling', polls: true, webSockets: false },
  { label: 'Polling, then WebSocket', used: 'websocket', polls: true, webSockets: true },
];

describe('the playground', { timeout: 600_000 }, () => {
  let browser;
  let shop;

  before(async () => {
    [browser, shop] = await Promise.all([launch(), serveExample()]);
  });

  after(async () => {
    await browser?.close();
    await shop?.close();
  });

  /** Opens the page for a test. */
  async function open(t, options) {
    const page = await openPlayground(t, browser, shop.url, options);
    return { page, ada: new PaneDriver(page, 'ada'), grace: new PaneDriver(page, 'grace') };
  }

  it('a book that one page adds arrives on another page as a broadcast and on both shelves', async (t) => {
    const [{ ada }, { grace }] = [await open(t), await open(t)];
    await Promise.all([ada.logIn(), grace.logIn()]);
    await Promise.all([ada.book('Middlemarch'), grace.book('Middlemarch')]);

    const book = { title: 'Silas Marner', author: 'George Eliot', year: 1861 };
    const { value } = await ada.send('addBook', book);
    assert.equal(value.title, 'Silas Marner');
    await grace.entry('event', /bookAdded.*Silas Marner/);
    await Promise.all([ada.book('Silas Marner'), grace.book('Silas Marner')]);
    assert.equal(await ada.activity.locator('[data-kind=event]').count(), 0);

    const { Book } = shop.app.models;
    await Book.deleteById(value.id);
    await grace.book('Silas Marner', 'detached');
    await Book.create({ title: 'Romola', author: 'George Eliot', year: 1862 });
    await grace.book('Romola');
    await Book.destroyAll({ title: 'Romola' });
    await Promise.all([ada.book('Romola', 'detached'), grace.book('Romola', 'detached')]);
  });

  it('a client passes through the states connecting, authenticating and ready', async (t) => {
    const { page, ada } = await open(t);
    await page.evaluate(() => {
      const state = document.querySelector('#ada .state');
      window.states = [];
      new MutationObserver(() => window.states.push(state.dataset.state)).observe(state, {
        attributeFilter: ['data-state'],
      });
    });
    await ada.logIn();
    await ada.entry('state', 'upgrade');
    const states = await page.evaluate(() =>
      window.states.filter((state, index, all) => state !== all[index - 1]),
    );
    assert.deepEqual(states.slice(-3), ['connecting', 'authenticating', 'ready']);
    await ada.entry('state', 'POST /api/Customers/login');
    await ada.entry('state', /connect.*socket \S+ over (polling|websocket)/);

    await ada.press('Log out');
    await ada.state('disconnected');
    await ada.root.getByRole('button', { name: 'Log in' }).waitFor();
  });

  it('a wrong password is refused by the login, and a made-up token by the socket', async (t) => {
    const { page, ada } = await open(t, { isRefused: true });
    await ada.root.locator('[name=password]').fill('a guess');
    await ada.press('Log in');
    await ada.root
      .locator('.problem', { hasText: 'The login was refused: login failed' })
      .waitFor();
    assert.equal(await ada.root.locator('.state').innerText(), 'disconnected');

    await ada.press('Send a made-up token');
    await ada.state('refused');
    await ada.entry('state', 'access token unknown or expired');
    await ada.entry('state', 'io server disconnect');
    assert.equal(await ada.root.locator('.state').innerText(), 'refused');

    await ada.send('getProfile', {});
    assert.match(await ada.answer.innerText(), /Log in first/);

    await page.getByRole('button', { name: 'Log both in' }).click();
    await ada.state('ready');
  });

  it('the page says that the server cannot be reached, or has forgotten its tokens, and goes on after it', async (t) => {
    const { page, ada, grace } = await open(t, { isRefused: true, isRestarted: true });
    const login = '**/api/Customers/login';
    const step = page.locator('#tour li').first();
    await page.route(login, (route) => route.abort('connectionrefused'));
    await page.getByRole('button', { name: 'Compare both' }).click();
    await page.locator('#load-status', { hasText: 'The server cannot be reached.' }).waitFor();
    await step.getByRole('button').click();
    await step.getByText('The server cannot be reached.').waitFor();
    assert.equal(await step.getAttribute('data-outcome'), 'failed');
    await page.unroute(login);

    await step.getByRole('button').click();
    await step.getByText(/^Both have authenticated after [\d.]+ m?s\.$/).waitFor();
    await shop.app.models.AccessToken.destroyAll();
    await shop.app.socketServers.restart(0);
    await Promise.all([ada.state('refused'), grace.state('refused')]);
    await ada.logIn();
    await step.getByRole('button').click();
    await grace.state('ready');
  });

  it('a call shows its answer and time, and a failed one its error', async (t) => {
    const { ada } = await open(t);
    await ada.logIn();
    const found = await ada.send('findBooks', { author: 'Mary Shelley', limit: 1 });
    assert.deepEqual(
      found.value.map(({ title }) => title),
      ['Frankenstein'],
    );
    assert.match(found.head, /^findBooks\s+[\d.]+ m?s$/);
    await ada.entry('call', /findBooks.*Frankenstein.*[\d.]+ m?s/);

    const refused = await ada.send('Book.create', { data: { title: 'Emma' } });
    assert.match(refused.head, /^Book\.create failed/);
    assert.equal(refused.value.code, 'AUTHORIZATION_REQUIRED');
    assert.equal(await ada.answer.getAttribute('data-tone'), 'bad');

    const invalid = await ada.send('addBook', { title: 'Emma', author: 'Jane Austen' });
    assert.match(invalid.value.message, /`year` can't be blank/);
  });

  it('hints say what is wrong with arguments, and names that are not listed can be called, too', async (t) => {
    const { ada } = await open(t);
    const hint = ada.root.locator('.hint');
    const json = ada.root.getByLabel('Arguments as JSON');
    await ada.root.getByLabel('Call or subscribe').selectOption('addBook');
    for (const [text, expected] of [
      ['{ "title": "Emma", "author": "Jane Austen", "year": 1815 }', /^$/],
      ['{ "title": "Emma", "author": "Jane Austen" }', /“year” is required/],
      [
        '{ "title": 1, "author": "", "year": [] }',
        /“title” should be a string, and is a number; “year”/,
      ],
      ['{ "title": "", "author": "", "year": 1, "isbn": 2 }', /“isbn” is not an argument/],
      ['[]', /Arguments are an object/],
      ['{ "title": ', /This is not JSON/],
    ]) {
      await json.fill(text);
      assert.match(await hint.innerText(), expected, text);
    }
    assert.equal(await json.getAttribute('aria-invalid'), 'true');

    await json.fill('{}');
    await ada.root.getByRole('button', { name: /^year/ }).click();
    assert.deepEqual(JSON.parse(await json.inputValue()), { year: 0 });

    const names = await ada.root.locator('[name=target] option').allInnerTexts();
    for (const name of ['addBook', 'Book.find', 'Customer.login', 'Book.changes', 'serverLoad']) {
      assert.ok(names.includes(name), name);
    }
    await ada.logIn();
    await ada.root.getByLabel('Call or subscribe').selectOption('another name…');
    await ada.root.getByLabel('Name', { exact: true }).fill('Book.count');
    await json.fill('');
    await ada.press('Call');
    await ada.answer.locator('strong', { hasText: 'Book.count' }).waitFor();
    const answer = JSON.parse(await ada.answer.locator('pre').innerText());
    assert.deepEqual(Object.keys(answer), ['count']);

    await ada.root.getByLabel('Name', { exact: true }).fill('isNotDefined');
    await ada.press('Call');
    await ada.answer.getByText('Waiting for the answer').waitFor();
  });

  it('a subscription shows its items until it is stopped', async (t) => {
    const { ada, grace } = await open(t);
    await ada.logIn();
    await grace.logIn();
    await ada.send('Book.changes', { where: { year: 1868 } });
    await grace.send('addBook', { title: 'Emma', author: 'Jane Austen', year: 1815 });
    await grace.send('addBook', { title: 'Little Women', author: 'Alcott', year: 1868 });
    await ada.entry('item', /Book\.changes.*Little Women/);
    assert.equal(
      await ada.activity.locator('[data-kind=item]', { hasText: 'Emma' }).count(),
      0,
      'the filter has kept it away',
    );
    await ada.press('Stop Book.changes');
    await ada.entry('item', 'unsubscribed');
    assert.equal(await ada.root.locator('.subscriptions li').count(), 0);
  });

  it('both clients come back with their subscriptions after a restart of the server and a cut', async (t) => {
    const { page, ada, grace } = await open(t, { isRestarted: true });
    await ada.logIn();
    await grace.logIn();
    await ada.send('Book.changes', { where: { year: 1883 } });
    await page.locator('#restart').click();
    await ada.entry('state', 'reconnect_attempt');
    await page.getByText('The server is back').waitFor();
    await Promise.all([ada.state('ready'), grace.state('ready')]);
    assert.equal(await ada.activity.locator('[data-retry=reconnect_attempt]').count(), 1);

    await page.getByRole('button', { name: 'Cut the connections' }).click();
    await Promise.all([
      ada.entry('state', /disconnect.*(forced close|transport close)/),
      grace.entry('state', /disconnect.*(forced close|transport close)/),
    ]);
    await Promise.all([ada.state('ready'), grace.state('ready')]);
    await grace.send('addBook', { title: 'Treasure Island', author: 'Stevenson', year: 1883 });
    await ada.entry('item', /Book\.changes.*Treasure Island/);
    await ada.entry('event', /bookAdded.*Treasure Island/);
    await ada.book('Treasure Island');
  });

  it('both kinds of server answer over polling and WebSocket, and over each of them alone', async (t) => {
    const { page, ada } = await open(t);
    const seen = {};
    page.on('request', (request) => {
      if (request.url().includes('transport=polling')) seen.polls = true;
    });
    page.on('websocket', () => {
      seen.webSockets = true;
    });
    await ada.logIn();
    await ada.facts.getByText('websocket to').waitFor(); // from now on it polls no more
    const servers = ['Native', 'npm socket.io'];
    for (const { label, used, polls, webSockets } of TRANSPORTS) {
      Object.assign(seen, { polls: false, webSockets: false });
      await page.getByRole('radio', { name: label }).check(); // the server stays
      for (const server of servers) {
        await page.getByRole('radio', { name: server }).check();
        await ada.facts.getByText(`${used} to the ${server.replace('N', 'n')} server`).waitFor();
        assert.ok((await ada.send('Book.count', {})).value.count > 0);
        assert.deepEqual(seen, { polls, webSockets }, `${label} on ${server}`);
        Object.assign(seen, { polls: false, webSockets: false });
      }
      servers.reverse();
    }
  });

  it('each thing to try says what came of it, and the load gives figures of both servers', async (t) => {
    const { page, grace } = await open(t, { isRestarted: true });
    const load = page.locator('#load');
    await load.getByLabel('Sockets').fill('12');
    await load.getByLabel('Seconds').fill('1');
    await load.getByLabel('Calls').selectOption({ label: '500 a second in all' });
    for (const [index, [name, outcome]] of [
      ['Log both in', /^Both have authenticated/],
      ['Add a book as Ada', /^“.+” arrived at Grace after [\d.]+ m?s\.$/],
      ['Restart the server', /^The server is back/],
      ['Compare the servers', /^[\d,]+ calls a second on native, [\d,]+ on npm socket\.io\.$/],
    ].entries()) {
      const step = page.locator('#tour li').nth(index);
      await step.getByRole('button', { name }).click();
      await step.getByText(outcome).waitFor();
      assert.equal(await step.getAttribute('data-outcome'), 'done');
    }
    await grace.entry('event', 'bookAdded');
    await page.getByText('Done: the figures are below.').waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.dataset.tour), 'compare');
    const rows = await page.locator('#figures tbody tr').all();
    assert.equal(rows.length, 5);
    for (const row of rows) {
      const [native, hosted, verdict] = await row.locator('td').allInnerTexts();
      assert.match(native, FIGURE);
      assert.match(hosted, FIGURE);
      assert.match(verdict, /^(the same|\d+(\.\d)?× (better|worse)|–)$/);
    }
    for (const chart of ['round-trip', 'rate', 'delay']) {
      await page.locator(`[data-chart=${chart}] .reading`).getByText(/\d/).first().waitFor();
    }
  });
});
