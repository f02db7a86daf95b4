'use strict';

// `npm run screenshots`: makes the pictures of the playground in docs/images/, by the steps that its page
// suggests. Needs Chromium. The figures in them are those of this machine.

const fs = require('node:fs');
const path = require('node:path');
const { PaneDriver, launch, openPlayground, serveExample } = require('../__test__/support/browser');
const { ROOT } = require('./steps');

const FOLDER = path.join(ROOT, 'docs', 'images');

/** How good the pictures are, from 0 to 1: text must not blur. */
const QUALITY = 0.88;

/** How long the charts are filled before a picture, in ms. */
const CHART_TIME = 12_000;

/**
 * Takes a picture of what the window shows and compresses it: Chromium itself writes WebP.
 * @param {import('playwright-core').Page} page
 * @param {string} name
 * @returns {Promise<void>}
 */
async function take(page, name) {
  const png = await page.screenshot();
  const blank = await page.context().newPage();
  const encoded = await blank.evaluate(
    `(async () => {
      const image = new Image();
      image.src = 'data:image/png;base64,${png.toString('base64')}';
      await image.decode();
      const canvas = document.createElement('canvas');
      canvas.width = image.width;
      canvas.height = image.height;
      canvas.getContext('2d').drawImage(image, 0, 0);
      return canvas.toDataURL('image/webp', ${QUALITY}).split(',')[1];
    })()`,
  );
  await blank.close();
  const picture = Buffer.from(encoded, 'base64');
  fs.writeFileSync(path.join(FOLDER, `${name}.webp`), picture);
  console.log('docs/images/%s.webp: %d kB', name, Math.round(picture.length / 1024));
}

/**
 * Has both clients log in, hear a broadcast, call, and be refused.
 * @param {import('playwright-core').Page} page
 * @returns {Promise<void>}
 */
async function visit(page) {
  const [ada, grace] = [new PaneDriver(page, 'ada'), new PaneDriver(page, 'grace')];
  await page.getByRole('button', { name: 'Log both in' }).click();
  await ada.state('ready');
  await grace.state('ready');
  await page.getByRole('button', { name: 'Add a book as Ada' }).click();
  await grace.entry('event', 'bookAdded');
  await ada.root.locator('[name=send]').click();
  await ada.entry('call', 'findBooks');
  await grace.root.getByLabel('Call or subscribe').selectOption('Book.create');
  await grace.root.locator('[name=send]').click();
  await grace.entry('call', 'Book.create');
}

/**
 * @param {import('playwright-core').Page} page
 * @param {string} selector
 * @param {number} above - how much of the page is left above it, in CSS pixels
 */
const scrollTo = (page, selector, above) =>
  page.evaluate(
    `scrollTo(0, document.querySelector('${selector}').getBoundingClientRect().top + scrollY - ${above})`,
  );

/** @returns {Promise<void>} */
async function main() {
  fs.mkdirSync(FOLDER, { recursive: true });
  const [browser, shop] = [await launch(), await serveExample()];
  const ends = [];
  const open = (options) =>
    openPlayground({ after: (end) => ends.push(end) }, browser, shop.url, options);

  const light = await open({ viewport: { width: 1280, height: 1240 }, colorScheme: 'light' });
  await visit(light);
  await light.mouse.move(640, 60);
  await light.evaluate('document.activeElement.blur(); scrollTo(0, 0)');
  await take(light, 'playground-light');
  await ends.pop()();

  const phone = await open({
    viewport: { width: 390, height: 844 },
    deviceScaleFactor: 2,
    isMobile: true,
    hasTouch: true,
    colorScheme: 'light',
  });
  await visit(phone);
  await scrollTo(phone, '#grace', 16);
  await take(phone, 'playground-phone');
  await ends.pop()();

  const dark = await open({ viewport: { width: 1280, height: 800 }, colorScheme: 'dark' });
  await visit(dark);
  await dark.waitForTimeout(CHART_TIME);
  await dark.getByRole('button', { name: 'Compare both' }).click();
  await dark.getByText('Done: the figures are below.').waitFor();
  await dark.mouse.move(640, 60);
  await scrollTo(dark, '.load', 76);
  await take(dark, 'playground-dark');
  await ends.pop()();

  await browser.close();
  await shop.close();
}

main().catch((err) => {
  console.error(err);
  process.exitCode = 1;
});
