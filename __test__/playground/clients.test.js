'use strict';

// The playground in a browser: what two clients of it do, on each kind of server.

const assert = require('node:assert/strict');
const { after, before, describe, it } = require('node:test');
const { PaneDriver, launch, openPlayground, serveExample } = require('../support/browser');

describe('the playground', { timeout: 300_000 }, () => {
  let browser;
  let shop;

  before(async () => {
    [browser, shop] = await Promise.all([launch(), serveExample()]);
  });

  after(async () => {
    await browser?.close();
    await shop?.close();
  });

  it('a book that one page adds arrives on another page as a broadcast and on both shelves', async (t) => {
    const pages = [
      await openPlayground(t, browser, shop.url),
      await openPlayground(t, browser, shop.url),
    ];
    const [ada, grace] = [new PaneDriver(pages[0], 'ada'), new PaneDriver(pages[1], 'grace')];
    await Promise.all([ada.logIn(), grace.logIn()]);
    await Promise.all([ada.book('Middlemarch'), grace.book('Middlemarch')]);

    const { value } = await ada.send('addBook', {
      title: 'Silas Marner',
      author: 'Eliot',
      year: 1861,
    });
    assert.equal(value.title, 'Silas Marner');
    await grace.entry('event', /bookAdded.*Silas Marner/);
    await Promise.all([ada.book('Silas Marner'), grace.book('Silas Marner')]);
    assert.equal(await ada.activity.locator('[data-kind=event]').count(), 0);
  });
});
