'use strict';

// Apps that esbuild has made one file of: with this package outside of it, as docs/frameworks.md says, and inside.

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, it } = require('node:test');
const esbuild = require('esbuild');
const { ROOT } = require('../support/installation');

/** Long for a busy machine; a bundle takes less than a second. */
const TIMEOUT = 120_000;

/** Prints what its server answers to a client that asks for the helper. */
const PROGRAM = `
  const http = require('node:http');
  const LoopbackSocket = require('loopback-socket');
  const httpServer = http.createServer();
  const io = new LoopbackSocket.Server(httpServer);
  httpServer.listen(0, '127.0.0.1', async () => {
    const url = 'http://127.0.0.1:' + httpServer.address().port + '/socket.io/loopback-socket.mjs';
    const response = await fetch(url);
    console.log(response.status, await response.text());
    io.close();
  });
`;

describe('an app that has been bundled', { timeout: TIMEOUT }, () => {
  let folder;

  before(() => {
    folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'loopback-socket-bundled-')));
    fs.mkdirSync(path.join(folder, 'node_modules'));
    fs.symlinkSync(ROOT, path.join(folder, 'node_modules', 'loopback-socket'), 'junction');
    fs.writeFileSync(path.join(folder, 'app.js'), PROGRAM);
  });

  after(() => fs.rmSync(folder, { recursive: true, force: true }));

  /**
   * Bundles the app and runs what comes of it.
   *
   * @param {import('esbuild').BuildOptions} options
   * @returns {{ status: number, stdout: string, stderr: string }}
   */
  function run(options) {
    const outdir = path.join(folder, 'dist');
    fs.rmSync(outdir, { recursive: true, force: true });
    esbuild.buildSync({
      absWorkingDir: folder,
      entryPoints: ['app.js'],
      bundle: true,
      platform: 'node',
      logLevel: 'error',
      outdir,
      ...options,
    });
    const program = path.join(outdir, 'app.js');
    return spawnSync(process.execPath, [program], { cwd: folder, encoding: 'utf8' });
  }

  it('an app with loopback-socket as an external package runs as before', () => {
    const { status, stdout, stderr } = run({ external: ['loopback-socket'] });
    assert.equal(status, 0, stderr);
    const helper = fs.readFileSync(path.join(ROOT, 'client.mjs'), 'utf8');
    assert.equal(stdout, `200 ${helper}\n`);
  });

  it('an app with the addon beside the bundle runs, and says why it does not serve the helper', () => {
    const { status, stdout, stderr } = run({ loader: { '.node': 'copy' } });
    assert.equal(status, 0, stderr);
    assert.match(
      stdout,
      /^404 loopback-socket\.mjs was not found\. .*leave that out of the bundle/,
    );
  });

  it('an app without the addon in its bundle throws an error that says what to leave out', () => {
    const { status, stderr } = run({ external: ['*.node', 'loopback-socket-*'] });
    assert.notEqual(status, 0);
    assert.match(stderr, /MissingAddonError: .* has been bundled.*--external:loopback-socket/);
  });
});
