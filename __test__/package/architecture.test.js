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
  // A line names a folder, which the indented lines below it belong to, or it names files, and behind
  // three spaces or more says what they are for.
  const listed = [];
  let folder = '';
  for (const line of list.split('\n').filter(Boolean)) {
    const [, indent, names] = /^( *)(\S+(?: {1,2}\S+)*?)(?: {3,}|$)/.exec(line);
    if (names.endsWith('/')) {
      folder = names;
    } else {
      folder = indent === '' ? '' : folder;
      for (const name of names.split(/ +/)) {
        listed.push(`${folder}${name.endsWith('.mjs') ? name : `${name}.js`}`);
      }
    }
  }
  const files = fs
    .readdirSync(path.join(ROOT, 'lib'), { recursive: true })
    .filter((file) => path.extname(file) !== '')
    .map((file) => file.replaceAll(path.sep, '/'));
  assert.deepEqual(listed.sort(), files.sort());
});
