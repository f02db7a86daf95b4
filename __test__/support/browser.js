'use strict';

/**
 * The playground, `examples/loopback3`, in headless Chromium. `.ci/run` installs Debian's.
 */

const assert = require('node:assert/strict');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { chromium } = require('playwright-core');

const EXAMPLE = path.join(__dirname, '..', '..', 'examples', 'loopback3');

/** How long a page may take for what a test waits for, in ms: long, for a busy machine. */
const PATIENCE = 45_000;

/** Where Chromium is looked for. */
const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];

/**
 * What Chromium writes to the console itself when a login is refused, or when npm socket.io has ended a
 * session that is still polling.
 */
const REFUSED = /status of 40[01]/;

/** What Chromium writes to the console itself when a server is away, as it is during a restart. */
const SERVER_AWAY =
  /net::ERR_CONNECTION_(REFUSED|RESET)|net::ERR_EMPTY_RESPONSE|WebSocket connection to|WebSocket is already in CLOSING/;

/** @returns {string} the path of Chromium */
function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = process.env.PATH.split(path.delimiter);
  const files = PROGRAMS.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  const found = files.find((file) => fs.existsSync(file));
  assert.ok(found, 'Chromium was not found: apt-get install chromium, or set CHROMIUM to its path');
  return found;
}

/** @returns {Promise<import('playwright-core').Browser>} a browser without a window */
function launch() {
  return chromium.launch({
    executablePath: findChromium(),
    args: ['--disable-gpu', '--disable-dev-shm-usage'],
    chromiumSandbox: false, // Chromium refuses to run as root with it, as in a container
  });
}

/**
 * Serves the example on a port of its own.
 * @param {'native' | 'hosted'} [kind] - of the server on that port; the other kind is on another
 * @returns {Promise<{ app: object, url: string, close: () => Promise<void> }>}
 */
async function serveExample(kind = 'native') {
  process.env.SOCKETS = kind; // as people choose it
  const app = require(path.join(EXAMPLE, 'server', 'server'));
  if (!app.booted) await once(app, 'booted');
  app.set('port', 0);
  await once(app.start(), 'listening');
  return {
    app,
    url: app.get('url'),
    close: () =>
      new Promise((resolve) => {
        app.close(resolve);
      }),
  };
}

/**
 * Opens the playground for a test, which fails if the page reports an error.
 * @param {import('node:test').TestContext} t - the test
 * @param {import('playwright-core').Browser} browser
 * @param {string} url
 * @param {object} [options] - of the browser's context; `isRestarted` says that the server is away
 *   for a while, `isRefused` that a login is refused
 * @returns {Promise<import('playwright-core').Page>} ready to be used
 */
async function openPlayground(t, browser, url, { isRestarted, isRefused, ...options } = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    reducedMotion: 'reduce',
    ...options,
  });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.stack));
  page.on('console', (message) => {
    if (!['error', 'warning'].includes(message.type())) return;
    if (isRefused && REFUSED.test(message.text())) return;
    if (isRestarted && SERVER_AWAY.test(message.text())) return;
    errors.push(`${message.text()} (${message.location().url})`);
  });
  t.after(async () => {
    await context.close();
    assert.deepEqual(errors, [], 'errors in the console of the page');
  });
  await page.goto(url);
  await page.waitForSelector('html[data-ready]');
  return page;
}

/** One of the two clients of a page. */
class PaneDriver {
  /**
   * @param {import('playwright-core').Page} page
   * @param {'ada' | 'grace'} id
   */
  constructor(page, id) {
    this.root = page.locator(`#${id}`);
    this.activity = this.root.locator('.activity');
    this.shelf = this.root.locator('.shelf');
    this.answer = this.root.locator('.answer');
    this.facts = this.root.locator('.facts');
  }

  /**
   * Waits for a state of the socket.
   * @param {string} state
   * @returns {Promise<void>}
   */
  state(state) {
    return this.root.locator(`.state[data-state=${state}]`).waitFor();
  }

  /**
   * Waits for an entry of the activity.
   * @param {string} kind - `state`, `call`, `event` or `item`
   * @param {string | RegExp} text - that it has
   * @returns {Promise<void>}
   */
  entry(kind, text) {
    return this.activity.locator(`[data-kind=${kind}]`, { hasText: text }).first().waitFor();
  }

  /**
   * Waits for a book on the shelf.
   * @param {string} title
   * @param {'visible' | 'detached'} [state]
   * @returns {Promise<void>}
   */
  book(title, state = 'visible') {
    return this.shelf.locator('li', { hasText: title }).waitFor({ state });
  }

  /**
   * Presses a button.
   * @param {string} name
   * @returns {Promise<void>}
   */
  press(name) {
    return this.root.getByRole('button', { name, exact: true }).click();
  }

  /**
   * Logs in with what the form has, and waits until the socket has authenticated.
   * @returns {Promise<void>}
   */
  async logIn() {
    await this.press('Log in');
    await this.state('ready');
  }

  /**
   * Calls a method or subscribes, and waits for the answer.
   * @param {string} name
   * @param {string | object} args - as text, or to be sent as JSON
   * @returns {Promise<{ head: string, value: unknown }>} what is shown
   */
  async send(name, args) {
    await this.root.locator('[name=target]').selectOption(name);
    await this.root
      .locator('[name=args]')
      .fill(typeof args === 'string' ? args : JSON.stringify(args));
    await this.root.locator('[name=send]').click();
    await this.root.locator('.answer:not([data-tone=waiting]) strong', { hasText: name }).waitFor();
    return {
      head: await this.answer.locator('.answer-head').innerText(),
      value: JSON.parse(await this.answer.locator('pre').innerText()),
    };
  }
}

module.exports = { PaneDriver, launch, openPlayground, serveExample };
