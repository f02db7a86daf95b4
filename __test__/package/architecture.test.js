'use strict';

// What docs/architecture.md says about where things are.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { it } = require('node:test');

const ROOT = path.join(__dirname, '..', '..');
const page = fs.readFileSync(path.join(ROOT, 'docs', 'architecture.md'), 'utf8');

/**
 * @param {string} folder - `lib` or `src`
 * @returns {string[]} the files in the tables of its section, sorted
 */
function listed(folder) {
  const [, section] = new RegExp(`^### ${folder}\\n([^]*?)(?=^##)`, 'm').exec(page);
  return [...section.matchAll(/^\| `([\w./-]+)` *\|/gm)].map(([, file]) => file).sort();
}

/**
 * @param {string} folder - at the top of the repository
 * @returns {string[]} its files, sorted
 */
function present(folder) {
  const top = path.join(ROOT, folder);
  return fs
    .readdirSync(top, { recursive: true })
    .filter((file) => fs.statSync(path.join(top, file)).isFile())
    .map((file) => file.replaceAll(path.sep, '/'))
    .sort();
}

for (const folder of ['lib', 'src']) {
  it(`docs/architecture.md lists every file of ${folder}/, and no other`, () => {
    assert.deepEqual(listed(folder), present(folder));
  });
}

it('docs/architecture.md names only files that exist', () => {
  const names = [...page.matchAll(/`((?:[\w-]+\/)+[\w.-]*)`/g)].map(([, name]) => name);
  const missing = names.filter(
    (name) => !['', 'src', 'lib'].some((top) => fs.existsSync(path.join(ROOT, top, name))),
  );
  assert.deepEqual(missing, []);
});
