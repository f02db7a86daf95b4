'use strict';

// The examples of docs/testing.md, on the test runners that the page is about.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, it } = require('node:test');
const { install } = require('../../scripts/prepare');
const { ROOT } = require('../../scripts/steps');

const RUNNERS = path.join(__dirname, 'runners');

/** Long for a busy machine and an installation from an empty cache; the tests take seconds. */
const TIMEOUT = 300_000;

/** For one runner, which takes seconds: it is killed then, and its test fails with what it has written. */
const RUN_TIMEOUT = 100_000;

/**
 * @returns {Record<string, string>} the page's files by name, the lines for vitest under `vitest`
 */
function examples() {
  const page = fs.readFileSync(path.join(ROOT, 'docs', 'testing.md'), 'utf8');
  const blocks = [...page.matchAll(/```js\n([^]*?)```/g)].map(([, text]) => text);
  return Object.fromEntries(
    blocks.map((text) => [/^\/\/ (\S+)/.exec(text)?.[1] ?? 'vitest', text]),
  );
}

describe('docs/testing.md', { timeout: TIMEOUT }, () => {
  let top;
  let folder;

  before(async () => {
    await install('Installing jest, vitest and mocha', RUNNERS);
    top = fs.mkdtempSync(path.join(os.tmpdir(), 'loopback-socket-runners-'));
    // Not among the installed packages: a link to the repository from below __test__ would have whoever
    // lists that folder go round for ever.
    fs.mkdirSync(path.join(top, 'node_modules'));
    fs.symlinkSync(ROOT, path.join(top, 'node_modules', 'loopback-socket'), 'junction');
    folder = path.join(top, 'app');
    fs.mkdirSync(folder);
    fs.symlinkSync(
      path.join(RUNNERS, 'node_modules'),
      path.join(folder, 'node_modules'),
      'junction',
    );
    const { vitest, ...files } = examples();
    const test = files['app.test.js'];
    files['app.test.mjs'] = vitest + test.slice(test.indexOf('let app;'));
    files['package.json'] = '{ "private": true }';
    for (const [name, text] of Object.entries(files)) {
      fs.writeFileSync(path.join(folder, name), text);
    }
  });

  after(() => fs.rmSync(top, { recursive: true, force: true }));

  /**
   * @param {...string} args the program, from node_modules, and its arguments
   * @returns {Promise<string>} what it has written; the promise is rejected if it fails
   */
  function run(...args) {
    // Each runner is to behave as it does outside of node's own.
    const { NODE_TEST_CONTEXT, NODE_OPTIONS, ...env } = process.env;
    const [program, ...rest] = args;
    const command = [path.join(folder, 'node_modules', program), ...rest];
    const options = {
      cwd: folder,
      env: { ...env, CI: 'true', NO_COLOR: '1' },
      timeout: RUN_TIMEOUT,
      killSignal: 'SIGKILL',
    };
    return new Promise((resolve, reject) => {
      execFile(process.execPath, command, options, (error, stdout, stderr) => {
        if (error) reject(new Error(`${error.message}\n${stdout}`));
        else resolve(stdout + stderr);
      });
    });
  }

  it('the tests of the page pass on jest, with fake timers on a hosted server, and leave no handles open', async () => {
    const files = ['app.test.js', 'hosted.test.js'];
    const output = await run('jest/bin/jest.js', '--runInBand', '--detectOpenHandles', ...files);
    assert.match(output, /^Tests: +4 passed, 4 total$/m);
    assert.doesNotMatch(output, /did not exit|open handle/);
  });

  it('an app whose modules have the helper for clients is tested on jest', async () => {
    const text = `
      const { client, RemoteError } = require('loopback-socket/client');
      const { io } = require('socket.io-client');
      it('a client calls', async () => {
        const app = await require('./app').start();
        const socket = io(app.url);
        const api = client(socket, { credentials: { token: 'open sesame' } });
        expect(await api.call('add', { a: 2, b: 3 })).toBe(5);
        await expect(api.call('none', {}, { timeout: 100 })).rejects.not.toBeInstanceOf(RemoteError);
        api.close();
        socket.disconnect();
        await app.io.close();
      });`;
    fs.writeFileSync(path.join(folder, 'helper.test.js'), text);
    assert.match(
      await run('jest/bin/jest.js', '--testTimeout=60000', 'helper.test.js'),
      /1 passed, 1 total/,
    );
  });

  it('jest --detectOpenHandles shows the line that has opened a server which nobody has closed', async () => {
    fs.writeFileSync(
      path.join(folder, 'open.test.js'),
      "it('a test that starts a server does not close it', () => require('./app').start());\n",
    );
    const flags = ['--detectOpenHandles', '--forceExit']; // else it waits for the server
    const output = await run('jest/bin/jest.js', ...flags, 'open.test.js');
    assert.match(output, /● .*loopback-socket$/m);
    assert.match(output, /● .*TCPSERVERWRAP/);
    assert.match(output, /\(app\.js:\d+:\d+\)/);
  });

  it('the tests of the page pass on mocha, which ends by itself', async () => {
    assert.match(await run('mocha/bin/mocha.js', 'app.test.js'), /3 passing/);
  });

  for (const pool of ['forks', 'threads']) {
    it(`the tests of the page pass on vitest, in its pool of ${pool}`, async () => {
      const output = await run('vitest/vitest.mjs', 'run', `--pool=${pool}`, 'app.test.mjs');
      assert.match(output, /Tests +3 passed \(3\)/);
      assert.doesNotMatch(output, /close timed out|hanging/);
    });
  }
});
