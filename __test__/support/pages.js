'use strict';

/**
 * The blocks of code of the documentation: README.md and the pages of docs/, without those that are made by
 * programs.
 */

const fs = require('node:fs');
const path = require('node:path');
const { ROOT } = require('./installation');

const DOCS = path.join(ROOT, 'docs');

/** Pages that `npm run bench:report` writes. */
const GENERATED = ['benchmarks.md'];

/**
 * @typedef {object} Block
 * @property {string} page such as `docs/api.md`
 * @property {string} language what is behind its first fence, such as `js`; may be empty
 * @property {string} text its lines, without the indentation of the fence
 * @property {number} line of its first fence, from 1
 * @property {string} key the heading that it is below; with ` (2)` for the second one of its language there
 * @property {string} [file] the name of the file that it is, or a part of, from a first line such as
 *   `// server.js` or `// server.js, continued`
 */

/** @returns {string[]} README.md, and the pages of docs/ that people write */
function pages() {
  const names = fs
    .readdirSync(DOCS)
    .filter((name) => name.endsWith('.md') && !GENERATED.includes(name));
  return ['README.md', ...names.map((name) => `docs/${name}`)];
}

/**
 * @param {string} page such as `docs/api.md`
 * @returns {Block[]} its blocks of code, in their order
 */
function blocksOf(page) {
  const source = fs.readFileSync(path.join(ROOT, page), 'utf8');
  const blocks = [];
  const counts = new Map();
  let heading = '';
  for (const match of source.matchAll(/^( *)```(\S*)\n([^]*?)^ *```$|^#+ (.*)$/gm)) {
    const [, indent, language, body, title] = match;
    if (title !== undefined) {
      heading = title;
      continue;
    }
    const counted = `${heading}\n${language}`;
    counts.set(counted, (counts.get(counted) ?? 0) + 1);
    const text = body.replaceAll(new RegExp(`^ {${indent.length}}`, 'gm'), '');
    blocks.push({
      page,
      language,
      text,
      line: source.slice(0, match.index).split('\n').length,
      key: counts.get(counted) === 1 ? heading : `${heading} (${counts.get(counted)})`,
      file: /^\/\/ ([\w./-]+\.m?[jt]s)(?:, continued|:.*)?\n/.exec(text)?.[1],
    });
  }
  return blocks;
}

/** Where a reader finds a block. */
const placeOf = ({ page, line }) => `${page}:${line}`;

/**
 * The pages whose blocks are the files of programs, which guides-run.test.js runs, with the folder whose packages
 * they use.
 */
const PROGRAMS = {
  'docs/getting-started-loopback3.md': 'examples/loopback3',
  'docs/getting-started-loopback4.md': 'examples/loopback4',
  'docs/getting-started-express.md': 'examples/express',
  'docs/tasks.md': '.',
};

/** Whether a block is a file of a program, or a part of one. */
const isPartOfProgram = ({ file }) => file !== undefined;

module.exports = { PROGRAMS, blocksOf, isPartOfProgram, pages, placeOf };
