/* global document, window, axe -- of the page */
'use strict';

// The playground as people see and use it: light and dark, on a phone, by keyboard, with a screen reader. Its
// own server is npm socket.io here, from which it then gets the client for browsers.

const assert = require('node:assert/strict');
const { after, before, describe, it } = require('node:test');
const { PaneDriver, launch, openPlayground, serveExample } = require('../support/browser');

const AXE = require.resolve('axe-core/axe.min.js');

/** The width of the narrowest phones that are in use, in CSS pixels. */
const PHONE = { width: 360, height: 740 };

/** What axe-core looks at: all in light, and in dark what is another there. */
const SCHEMES = [
  ['light', {}],
  ['dark', { runOnly: ['color-contrast'] }],
];

/**
 * @param {import('playwright-core').Page} page
 * @returns {Promise<string[]>} what axe-core finds wrong in light and in dark, a line for each element
 */
async function violations(page) {
  const lines = [];
  for (const [colorScheme, rules] of SCHEMES) {
    await page.emulateMedia({ colorScheme });
    const found = await page.evaluate(
      (options) => axe.run({ resultTypes: ['violations'], ...options }),
      rules,
    );
    for (const { id, nodes } of found.violations) {
      for (const { target, failureSummary } of nodes) {
        lines.push(`${id}, ${colorScheme}: ${target} ${failureSummary}`);
      }
    }
  }
  return lines;
}

/**
 * Goes on by the tabulator key.
 * @param {import('playwright-core').Page} page
 * @param {number} count - how often it is pressed
 * @returns {Promise<string[]>} the controls that had the focus and did not show it
 */
async function withoutFocusRing(page, count) {
  const hidden = new Set();
  for (let pressed = 0; pressed < count; pressed += 1) {
    await page.keyboard.press('Tab');
    const control = await page.evaluate(() => {
      const { activeElement } = document;
      if (activeElement === document.body) return null;
      const shown =
        activeElement.type === 'radio' ? activeElement.nextElementSibling : activeElement;
      const { outlineStyle, outlineWidth } = window.getComputedStyle(shown);
      const isShown = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1;
      return isShown ? null : activeElement.outerHTML.slice(0, 120);
    });
    if (control !== null) hidden.add(control);
  }
  return [...hidden];
}

/**
 * @param {import('playwright-core').Page} page
 * @returns {Promise<number>} its width in CSS pixels; a phone makes its window as wide as the page, so that it
 *   cannot be compared with that
 */
const widthOf = (page) => page.evaluate(() => document.documentElement.scrollWidth);

describe('the playground', { timeout: 600_000 }, () => {
  let browser;
  let shop;

  before(async () => {
    [browser, shop] = await Promise.all([launch(), serveExample('hosted')]);
  });

  after(async () => {
    await browser?.close();
    await shop?.close();
  });

  it('axe-core finds no violation in light and dark, before and after logins, refusals and calls', async (t) => {
    const page = await openPlayground(t, browser, shop.url, { isRefused: true });
    await page.addScriptTag({ path: AXE });
    const [ada, grace] = [new PaneDriver(page, 'ada'), new PaneDriver(page, 'grace')];
    assert.deepEqual(await violations(page), []);

    await ada.logIn();
    await ada.book('Middlemarch');
    await grace.press('Send a made-up token');
    await grace.state('refused');
    assert.deepEqual(await violations(page), []);

    await grace.logIn();
    await ada.send('serverLoad', {});
    await ada.entry('item', 'delay');
    await ada.send('addBook', { title: 'Emma', author: 'Jane Austen', year: 1815 });
    await grace.entry('event', 'bookAdded');
    await grace.send('Book.create', { data: {} });
    await ada.root.getByLabel('Arguments as JSON').fill('{');
    assert.deepEqual(await violations(page), []);
  });

  it('the theme follows the system until the button chooses one, which is remembered', async (t) => {
    const page = await openPlayground(t, browser, shop.url, { colorScheme: 'dark' });
    const lightness = () =>
      page.evaluate(() => {
        const { backgroundColor } = window.getComputedStyle(document.body);
        return Number(/\d+/.exec(backgroundColor)[0]);
      });
    assert.ok((await lightness()) < 64);
    await page.getByRole('button', { name: 'Theme: auto' }).click();
    await page.getByRole('button', { name: 'Theme: light' }).waitFor();
    assert.ok((await lightness()) > 192);
    await page.reload();
    await page.getByRole('button', { name: 'Theme: light' }).waitFor();
    assert.ok((await lightness()) > 192);
  });

  it('a phone shows the page without horizontal scrolling, all of it can be used, and axe-core finds no violation', async (t) => {
    const page = await openPlayground(t, browser, shop.url, {
      viewport: PHONE,
      isMobile: true,
      hasTouch: true,
    });
    const [ada, grace] = [new PaneDriver(page, 'ada'), new PaneDriver(page, 'grace')];
    assert.equal(await widthOf(page), PHONE.width);
    await page.getByRole('button', { name: 'Log both in' }).tap();
    await Promise.all([ada.state('ready'), grace.state('ready')]);
    await page.getByRole('button', { name: 'Add a book as Ada' }).tap();
    await grace.entry('event', 'bookAdded');
    await ada.send('Customer.prototype.patchAttributes', { id: 1, data: {} });
    await ada.send('Book.changes', {
      where: { title: 'A title that is longer than a phone is wide' },
    });
    assert.equal(await widthOf(page), PHONE.width);
    await page.addScriptTag({ path: AXE });
    assert.deepEqual(await violations(page), []);
  });

  it('the keyboard alone logs in, calls and switches the server, and every control shows the focus', async (t) => {
    const page = await openPlayground(t, browser, shop.url);
    const ada = new PaneDriver(page, 'ada');
    const { keyboard } = page;
    await keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
    assert.deepEqual(await withoutFocusRing(page, 50), []);

    await ada.root.locator('[name=password]').focus();
    await keyboard.press('Enter');
    await ada.state('ready');
    assert.equal(await page.evaluate(() => document.activeElement.name), 'add');
    await ada.root.getByLabel('Arguments as JSON').focus();
    await keyboard.press('Control+Enter');
    await ada.entry('call', 'findBooks');
    await ada.activity.locator('summary').first().focus();
    await keyboard.press('Enter');
    await ada.activity.locator('details[open] pre').waitFor();

    await ada.facts.getByText('to the npm socket.io server').waitFor();
    await page.getByRole('radio', { name: 'npm socket.io' }).focus();
    await keyboard.press('ArrowLeft');
    await ada.facts.getByText('to the native server').waitFor();
  });
});
