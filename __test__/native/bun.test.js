'use strict';

// The native server on Bun, whose symbols of libuv end the process when they are called. Bun comes
// from npm, into a folder of its own outside the package, the first time this runs.

const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');
const { after, before, describe, it } = require('node:test');

const TIMEOUT = 60_000;
const VERSION = '1.4.5';
const CLIENTS = {
  2.5: require('socket.io-client-2'),
  4.8: require('socket.io-client'),
};

/** @returns {string} path of the executable of Bun for this machine, installed unless it is there */
function bun() {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const arch = process.arch === 'arm64' ? 'aarch64' : process.arch;
  const name = `@oven/bun-${platform}-${arch}`;
  const home = path.join(os.tmpdir(), `loopback-socket-bun-${VERSION}-${os.userInfo().username}`);
  const file = path.join(home, 'node_modules', name, 'bin', 'bun');
  if (!fs.existsSync(file)) {
    // Made beside it and moved: another test run may look at the same moment.
    const made = fs.mkdtempSync(`${home}-`);
    try {
      const args = ['install', '--no-audit', '--no-fund', '--prefix', made, `${name}@${VERSION}`];
      const { status, stderr } = spawnSync('npm', args, { encoding: 'utf8' });
      assert.equal(status, 0, stderr);
      fs.renameSync(made, home);
    } catch (error) {
      fs.rmSync(made, { recursive: true, force: true });
      if (!fs.existsSync(file)) throw error;
    }
  }
  return file;
}

describe('the native server on Bun', { timeout: TIMEOUT }, () => {
  let child;
  let port;
  /** What the app tells, in order. */
  let events;

  before(async () => {
    child = spawn(bun(), [path.join(__dirname, '..', 'support', 'children', 'bun.js')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines = readline.createInterface({ input: child.stdout });
    events = lines[Symbol.asyncIterator]();
    ({ port } = await next());
  });
  after(() => child.kill('SIGKILL'));

  async function next() {
    const { value, done } = await events.next();
    assert.ok(!done, 'the process ended');
    return JSON.parse(value);
  }

  const call = (socket, name, args) =>
    new Promise((resolve) => socket.emit(name, args, (answer) => resolve(answer)));

  for (const version of [4.8, 2.5]) {
    for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
      it(`the native server on Bun serves a client ${version} over ${transports.join(', then ')}`, async () => {
        const socket = CLIENTS[version](`http://127.0.0.1:${port}`, {
          transports,
          forceNew: true,
          reconnection: false,
        });
        const engine = () => socket.io.engine;
        const upgraded = new Promise((resolve) => {
          socket.io.once('open', () => engine().once('upgrade', resolve));
        });
        const refused = new Promise((resolve) => socket.once('unauthorized', resolve));
        socket.once('connect', () => socket.emit('authentication', { password: 'wrong' }));
        assert.deepEqual(await refused, { message: 'Authentication failure' });
        const authenticated = new Promise((resolve) => socket.once('authenticated', resolve));
        socket.emit('authentication', { password: 'right' });
        assert.equal(await authenticated, true);
        if (transports.length > 1) await upgraded;
        assert.deepEqual(await call(socket, 'double', { value: 21 }), { result: 42 });
        const long = 'x'.repeat(200_000);
        assert.deepEqual(await call(socket, 'echo', long), { result: long });
        const bytes = await call(socket, 'echo', Buffer.from([1, 2, 3]));
        assert.deepEqual(Buffer.from(bytes.result), Buffer.from([1, 2, 3]));
        const shouted = new Promise((resolve) => socket.once('shouted', resolve));
        await call(socket, 'shout', 'hello');
        assert.equal(await shouted, 'hello');
        assert.equal(engine().transport.name, transports.at(-1));
        socket.disconnect();
        const { reason } = await next();
        assert.match(reason, /^(client namespace disconnect|transport close)$/);
      });
    }
  }

  it('the native server on Bun shares its http.Server, closes and lets the process exit', async () => {
    const page = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
    assert.equal(await page.text(), 'page');
    const exited = once(child, 'exit');
    child.stdin.end();
    assert.deepEqual(await next(), { closed: true });
    assert.deepEqual(await exited, [0, null]);
  });
});
