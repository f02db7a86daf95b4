'use strict';

// What docs/scaling.md shows of configurations is what the tests run: the files of examples/proxies/.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');

const ROOT = path.join(__dirname, '..', '..', '..');
const PAGE = fs.readFileSync(path.join(ROOT, 'docs', 'scaling.md'), 'utf8');
const EXAMPLES = path.join(ROOT, 'examples', 'proxies');

/**
 * @param {string} language of a block of code
 * @returns {string[]} the lines of the page's block, without space around them and without what stands for others
 */
function shown(language) {
  const [, block] = new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'm').exec(PAGE);
  const lines = block.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && line !== '# …');
}

describe('the configurations of the page about more than one process', () => {
  for (const [language, file] of [
    ['nginx', 'nginx-cookie.conf'],
    ['haproxy', 'haproxy-cookie.cfg'],
  ]) {
    it(`the page shows the lines of examples/proxies/${file} in their order`, () => {
      const text = fs.readFileSync(path.join(EXAMPLES, file), 'utf8');
      const lines = text.split('\n').map((line) => line.trim());
      let from = 0;
      for (const line of shown(language)) {
        const index = lines.indexOf(line, from);
        assert.ok(index >= 0, line);
        from = index + 1;
      }
    });
  }

  it('the page links to every configuration', () => {
    for (const file of fs.readdirSync(EXAMPLES).filter((name) => /\.(conf|cfg)$/.test(name))) {
      assert.ok(PAGE.includes(`(../examples/proxies/${file})`), file);
    }
  });
});
