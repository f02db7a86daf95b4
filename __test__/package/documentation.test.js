'use strict';

// What the documentation names exists: files, headings, scripts.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');
const { scripts } = require('../../package.json');
const { slugOf } = require('../../scripts/slugs');

const ROOT = path.join(__dirname, '..', '..');

/** Folders whose files the documentation names by their path from the top. */
const FOLDERS = 'src|lib|types|bench|fuzz|docs|scripts|examples|__test__|\\.ci|npm';

/** A file or folder as code: `src/io/reactor.rs`, `lib/auth/`, `src/*\/fuzzing.rs`. */
const FILE = new RegExp(`\`((?:${FOLDERS})/[\\w.*/-]*)\``, 'g');

/** The files of the repository that are not ignored by Git. */
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: ROOT,
  encoding: 'utf8',
  maxBuffer: 1 << 26,
})
  .split('\n')
  .filter((name) => name !== '' && fs.existsSync(path.join(ROOT, name)));

const pages = tracked.filter((name) => name.endsWith('.md'));

/** A file of ours as the README links to it, since npm shows that too. */
const OWN_ADDRESS =
  /^https:\/\/(?:github\.com\/arondn2\/loopback-socket\/(?:blob|tree)|raw\.githubusercontent\.com\/arondn2\/loopback-socket)\/main\/(.*)$/;

/**
 * @param {string} name a file, from the top
 * @returns {string} its text
 */
const read = (name) => fs.readFileSync(path.join(ROOT, name), 'utf8');

/**
 * @param {string} text Markdown
 * @returns {string} the same without its blocks of code
 */
const withoutBlocks = (text) => text.replaceAll(/^```[^]*?^```/gm, '');

/**
 * @param {string} text Markdown
 * @returns {Set<string>} the anchors that GitHub gives to its headings
 */
function anchorsOf(text) {
  const anchors = new Set();
  for (const [, heading] of withoutBlocks(text).matchAll(/^#+ (.*)$/gm)) {
    const slug = slugOf(heading);
    let anchor = slug;
    for (let n = 1; anchors.has(anchor); n++) anchor = `${slug}-${n}`;
    anchors.add(anchor);
  }
  return anchors;
}

/**
 * @param {string} name a file or a folder from the top, which may have `*` for any one name
 * @returns {boolean} whether it exists
 */
function exists(name) {
  const pattern = name.replaceAll(/[.]/g, '\\.').replaceAll('*', '[^/]*').replace(/\/$/, '');
  const matcher = new RegExp(`^${pattern}(/|$)`);
  return tracked.some((file) => matcher.test(file));
}

describe('the documentation', () => {
  it('every link in the documentation leads to a file and a heading that exist', () => {
    const broken = [];
    for (const page of pages) {
      const links = withoutBlocks(read(page)).matchAll(/\]\(([^)\s]+)\)/g);
      for (const [, link] of links) {
        const [, own] = OWN_ADDRESS.exec(link) ?? [];
        if (own === undefined && /^[a-z]+:/.test(link)) continue;
        const [file, anchor] = (own ?? link).split('#');
        const folder = own === undefined ? path.posix.dirname(page) : '.';
        const target = file === '' ? page : path.posix.join(folder, file);
        const isThere = fs.existsSync(path.join(ROOT, target));
        if (!isThere || (anchor !== undefined && !anchorsOf(read(target)).has(anchor))) {
          broken.push(`${page}: ${link}`);
        }
      }
    }
    assert.deepEqual(broken, []);
  });

  it('every file and folder that the documentation names exists', () => {
    const missing = [];
    for (const page of pages) {
      for (const [, name] of read(page).matchAll(FILE)) {
        const beside = path.posix.join(path.posix.dirname(page), name);
        if (!exists(name) && !exists(beside) && !isMade(name)) missing.push(`${page}: ${name}`);
      }
    }
    assert.deepEqual(missing, []);
  });

  it('every npm script that the documentation names exists', () => {
    const missing = [];
    for (const page of pages.filter((name) => !name.startsWith('examples/'))) {
      for (const [, script] of read(page).matchAll(/npm run (?:--\w+ )?([a-z]+(?::[a-z]+)*)/g)) {
        if (!Object.hasOwn(scripts, script)) missing.push(`${page}: npm run ${script}`);
      }
    }
    assert.deepEqual(missing, []);
  });

  it('every page of docs/ that the code refers to exists', () => {
    const missing = [];
    for (const name of tracked.filter((file) => /\.(rs|m?js|c?ts)$/.test(file))) {
      for (const [, page] of read(name).matchAll(/\b(docs\/[\w-]+\.md)/g)) {
        if (!tracked.includes(page)) missing.push(`${name}: ${page}`);
      }
    }
    assert.deepEqual(missing, []);
  });

  it('every error code has a heading in docs/troubleshooting.md, and no other has', () => {
    const codes = new Set();
    for (const [, code] of read('lib/errors.js').matchAll(/'([A-Z]+(?:_[A-Z]+)*)'/g)) {
      codes.add(`ERR_LOOPBACK_SOCKET_${code}`);
    }
    const isSource = (file) =>
      /^(lib\/.*\.js|\w+\.m?js|src\/.*\.rs|packages\/\w+\/src\/\w+\.ts)$/.test(file);
    for (const name of tracked.filter(isSource)) {
      for (const [code] of read(name).matchAll(/\bERR_LOOPBACK_SOCKET(?:_[A-Z]+)+\b/g))
        codes.add(code);
    }
    const headings = read('docs/troubleshooting.md').matchAll(/^### `(.*)`$/gm);
    assert.deepEqual([...headings].map(([, code]) => code).sort(), [...codes].sort());
  });
});

/**
 * @param {string} name a file, from the top
 * @returns {boolean} whether it is made by a build or a run, and not kept in Git
 */
function isMade(name) {
  return name.startsWith('bench/results/') || name.startsWith('bench/peers/node_modules');
}
