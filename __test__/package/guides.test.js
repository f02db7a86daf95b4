'use strict';

// The code of the documentation is true: every block of README.md and of the pages of docs/ is run, compiled,
// or read by the program that it is for. Fragments run in a World (guides/world.js), which has the names that
// their pages use; each test of guides/ runs one or several of them and looks at what they do. Whole programs are
// run by guides-run.test.js. A block that no test has taken makes the last test fail: add a test for it, here or
// in guides/.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');
const { ROOT } = require('../support/installation');
const { PROGRAMS, blocksOf, isPartOfProgram, pages, placeOf } = require('../support/pages');
const { World } = require('./guides/world');

/** Several blocks at a time take seconds; long for a busy machine. */
const TIMEOUT = 300_000;

/** What is shown and not run: diagrams, and what programs print. */
const NOT_CODE = ['text', 'mermaid', ''];

/** Blocks that other tests run. */
const ELSEWHERE = [
  {
    test: 'package/guides-run.test.js',
    has: (block) => Object.hasOwn(PROGRAMS, block.page) && isPartOfProgram(block),
  },
  {
    test: 'package/guides-run.test.js',
    has: ({ page, language }) =>
      ['html', 'dockerfile'].includes(language) ||
      (page === 'docs/tasks.md' && language === 'nginx'),
  },
  { test: 'examples/testing-page.test.js', has: ({ page }) => page === 'docs/testing.md' },
  {
    test: 'scale/kubernetes.test.js',
    has: ({ page, language, key }) =>
      page === 'docs/scaling.md' && language === 'js' && key.startsWith('Kubernetes'),
  },
  {
    test: 'package/scaling-page.test.js',
    has: ({ page, language, key, text }) =>
      page === 'docs/scaling.md' &&
      language === 'sh' &&
      key.startsWith('From one process to ten') &&
      !text.startsWith('npm install'),
  },
];

/** Every block of every page. */
const blocks = pages().flatMap(blocksOf);

/** @type {Set<object>} the blocks that tests have taken */
const taken = new Set(blocks.filter((block) => ELSEWHERE.some(({ has }) => has(block))));

/**
 * @param {import('../support/pages').Block} block
 * @returns {boolean} whether its language is one of JavaScript or TypeScript
 */
const isScript = ({ language }) => ['js', 'ts'].includes(language);

/**
 * Takes blocks for a test.
 *
 * @param {(block: import('../support/pages').Block) => boolean} has
 * @returns {import('../support/pages').Block[]} those of them that nobody has taken for another file
 */
function take(has) {
  const found = blocks.filter(
    (block) => has(block) && !ELSEWHERE.some((other) => other.has(block)),
  );
  for (const block of found) taken.add(block);
  return found;
}

/**
 * Declares a test of fragments.
 *
 * @param {string} page such as `docs/api.md`
 * @param {string | string[]} keys the headings that the fragments are below, with ` (2)` for the second one there
 * @param {(world: World, ...fragments: import('../support/pages').Block[]) => Promise<void>} test runs them
 */
function guide(page, keys, test) {
  const names = [keys].flat();
  const fragments = names.map((key) => {
    const [fragment] = take((block) => block.page === page && block.key === key && isScript(block));
    return fragment;
  });
  it(`the code of ${page} below “${names.join('”, “')}” does what the page says`, async () => {
    for (const [index, key] of names.entries()) {
      assert.ok(fragments[index], `${page} has no code below “${key}”`);
    }
    const world = new World();
    await world.begin();
    try {
      await test(world, ...fragments);
    } finally {
      await world.end();
    }
  });
}

describe('the code of the documentation', { timeout: TIMEOUT }, () => {
  for (const name of [
    'start',
    'handlers',
    'client',
    'servers',
    'operations',
    'scaling',
    'frameworks',
  ]) {
    require(`./guides/${name}`)(guide);
  }
  for (const name of ['types', 'commands', 'configurations']) {
    require(`./guides/${name}`)(take);
  }

  it('every block of code in the documentation is run by a test', () => {
    for (const { test } of ELSEWHERE)
      assert.ok(fs.existsSync(path.join(ROOT, '__test__', test)), test);
    const missing = blocks
      .filter((block) => !NOT_CODE.includes(block.language) && !taken.has(block))
      .map((block) => `${placeOf(block)} [${block.language}] ${block.key}`);
    assert.deepEqual(missing, []);
  });
});
