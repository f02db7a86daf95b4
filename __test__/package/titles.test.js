'use strict';

// Titles of tests are sentences that make sense alone: `cargo test` prints only the path of a function,
// and a failure in CI is often read without the `describe` around it.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { it } = require('node:test');

const ROOT = path.join(__dirname, '..', '..');

/** First words of titles that go on with something said before. */
const CONTINUATIONS = [
  'nor and or but also likewise too either',
  'it its they their he who whoever what whatever that which whose where',
  'of as than',
  'is are was were has have had does do did may might can cannot must',
  'accepts adds carries closes comes counts ends gets gives goes hears holds joins keeps leaves',
  'lets loses makes reaches reads refuses runs says sends serves stays takes tells throws works writes',
].flatMap((words) => words.split(' '));

/** Expressions that need a sentence before them, and words that only this project used once. */
const BANNED = /\b(as well|likewise|hears?|heard|unheard|said|loan|lent|lends?|notices?|turns?)\b/;

/**
 * @param {string} folder
 * @param {string} suffix
 * @returns {[string, string][]} the names and texts of the files below a folder of the repository
 */
function filesOf(folder, suffix) {
  return fs
    .readdirSync(path.join(ROOT, folder), { recursive: true })
    .filter((name) => name.endsWith(suffix) && !name.includes('node_modules'))
    .map((name) => [
      path.posix.join(folder, name.replaceAll(path.sep, '/')),
      fs.readFileSync(path.join(ROOT, folder, name), 'utf8'),
    ]);
}

/**
 * @param {string} title
 * @returns {boolean} whether it needs something before it to be understood
 */
function isFragment(title) {
  const [first] = title.toLowerCase().split(/[^a-z']+/, 1);
  return CONTINUATIONS.includes(first) || BANNED.test(title);
}

it('titles of JavaScript tests make sense alone', () => {
  const titles = [];
  const folders = ['packages/loopback4/src', 'examples/loopback4/src'];
  const loopback4 = folders.flatMap((folder) => filesOf(folder, '.test.ts'));
  for (const [file, text] of [...filesOf('__test__', '.js'), ...loopback4]) {
    for (const [, , title] of text.matchAll(/\b(?:it|test)\(\s*(['"`])((?:(?!\1)[^\\]|\\.)+)\1/g)) {
      titles.push(`${file}: ${title}`);
    }
  }
  assert.ok(titles.length > 500, `${titles.length} titles were found`);
  const bad = titles.filter((title) => isFragment(title.slice(title.indexOf(': ') + 2)));
  assert.deepEqual(bad, []);
});

it('names of Rust tests make sense alone', () => {
  const titles = [];
  for (const [file, text] of filesOf('src', '.rs')) {
    for (const [, name] of text.matchAll(/#\[test\]\s*(?:#\[[^\]]*\]\s*)*(?:async )?fn (\w+)/g)) {
      titles.push(`${file}: ${name.replaceAll('_', ' ')}`);
    }
  }
  assert.ok(titles.length > 150, `${titles.length} names were found`);
  const bad = titles.filter((title) => isFragment(title.slice(title.indexOf(': ') + 2)));
  assert.deepEqual(bad, []);
});
