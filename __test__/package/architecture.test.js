'use strict';

// What docs/architecture.md says about where things are.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { it } = require('node:test');

const ROOT = path.join(__dirname, '..', '..');

it('docs/architecture.md lists every file of lib/, and no other', () => {
  const text = fs.readFileSync(path.join(ROOT, 'docs', 'architecture.md'), 'utf8');
  const [, list] = /### lib\n\n```\n([^]*?)```/.exec(text);
  // A line of the list begins with its files, two spaces and what they are for; a heading is indented.
  const listed = list
    .split('\n')
    .filter((line) => /^\S/.test(line))
    .flatMap((line) => line.split(/ {3,}/)[0].split(/ +/))
    .map((name) => (name.endsWith('.mjs') ? name : `${name}.js`));
  assert.deepEqual(listed.sort(), fs.readdirSync(path.join(ROOT, 'lib')).sort());
});
