'use strict';

// `npm start`: what a newcomer runs first, on the LoopBack 3 example, native and hosted.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const net = require('node:net');
const path = require('node:path');
const { describe, it } = require('node:test');

const ROOT = path.join(__dirname, '..', '..');
const NATIVE = {};
const HOSTED = { SOCKETS: 'hosted' };

/** Long for a busy machine; a run takes seconds. */
const TIMEOUT = 120_000;

/**
 * Runs what `npm start` runs.
 * @param {string[]} args
 * @param {Record<string, string>} env
 * @returns {import('node:child_process').ChildProcess & { transcript: string, errors: string }}
 */
function start(args, env) {
  const { PORT, SOCKETS, ...inherited } = process.env;
  const child = spawn(process.execPath, ['scripts/start.js', ...args], {
    cwd: ROOT,
    env: { ...inherited, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TIMEOUT,
  });
  child.transcript = '';
  child.errors = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (child.transcript += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (child.errors += text));
  return child;
}

/**
 * The transcript without what differs from run to run, single-spaced.
 * @param {string} transcript
 * @returns {string[]} its lines
 */
function lines(transcript) {
  return transcript
    .replace(/socket [\w-]{15,}/g, 'socket ID')
    .replace(/"id":"[\w-]{6}…"/, '"id":"TOKEN"')
    .replace(/ {2,}/g, ' ')
    .split('\n')
    .filter(Boolean);
}

/**
 * The transcript every run shows.
 * @param {string} host - what serves the sockets
 * @returns {string[]}
 */
function visit(host) {
  return [
    `The bookshop (LoopBack 3.28.0), sockets on ${host}`,
    'A customer',
    ' POST /api/Customers/login (enchantress) 200, an access token',
    ' connect socket ID',
    ' emit authentication {"id":"TOKEN","userId":1} authenticated',
    ' emit getProfile {} {"name":"Ada","email":"ada@example.com","id":1}',
    ' emit findBooks {"author":"Mary Shelley"} ' +
      '{"title":"Frankenstein","author":"Mary Shelley","year":1818,"id":1} and 1 more',
    ' emit Book.find {"filter":{"fields":["title"],"limit":1}} {"title":"Frankenstein"}',
    ' emit Customer.findById {"id":1} {"name":"Ada","email":"ada@example.com","id":1}',
    ' emit Book.create {"data":{"title":"Emma"}} {"error":{"statusCode":401,"name":"Error",' +
      '"message":"Authorization Required","code":"AUTHORIZATION_REQUIRED"}}',
    ' emit Book.changes {"args":{"where":{"year":1859}}} subscription 1',
    ' emit addBook {"title":"Emma","author":"Jane Austen","year":1815} ' +
      '{"title":"Emma","author":"Jane Austen","year":1815,"id":5}',
    ' emit addBook {"title":"Adam Bede","author":"George Eliot","year":1859} ' +
      '{"title":"Adam Bede","author":"George Eliot","year":1859,"id":6}',
    ' on Book.changes create ' + '{"title":"Adam Bede","author":"George Eliot","year":1859,"id":6}',
    'A stranger',
    ' POST /api/Customers/login (guess) 401, login failed',
    ' connect socket ID',
    ' emit authentication {"id":"made-u…","userId":1} ' +
      'unauthorized: access token unknown or expired',
    ' acknowledge the refusal disconnected: io server disconnect',
    'All 16 steps went as they should.',
  ];
}

/**
 * Waits until a run has shown a line.
 * @param {ReturnType<typeof start>} child
 * @param {RegExp} pattern
 * @returns {Promise<RegExpMatchArray>}
 */
async function shown(child, pattern) {
  const ended = once(child, 'close');
  for (;;) {
    const match = child.transcript.match(pattern);
    if (match) return match;
    const [what] = await Promise.race([once(child.stdout, 'data'), ended]);
    if (typeof what !== 'string') throw new Error(child.transcript + child.errors);
  }
}

/** @returns {Promise<number>} a port nobody listens on */
async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

describe('npm start', () => {
  for (const [env, host] of [
    [NATIVE, 'the native server'],
    [HOSTED, 'npm socket.io 4.8.4'],
  ]) {
    it(`npm start -- --once shows a visit to the app on ${host} and exits`, async () => {
      const child = start(['--once'], env);
      const [status] = await once(child, 'close');
      assert.deepEqual(lines(child.transcript), [...visit(host), 'Closed.']);
      assert.equal(child.errors, '');
      assert.equal(status, 0);
    });

    it(`npm start serves the app on ${host} until it is interrupted`, async () => {
      const child = start([], { ...env, PORT: String(await freePort()) });
      const [, url] = await shown(child, /Open its playground in a browser: (\S+)\n/);

      const page = await fetch(url, { headers: { connection: 'close' } });
      assert.match(await page.text(), /<title>loopback-socket playground<\/title>/);
      const client = await fetch(`${url}/socket.io/socket.io.js`, {
        headers: { connection: 'close' },
      });
      assert.equal(client.status, 200);
      assert.match(await client.text(), /Socket\.IO/i);

      child.kill('SIGINT');
      const [status] = await once(child, 'close');
      assert.deepEqual(lines(child.transcript).at(-1), 'Closed.');
      assert.equal(status, 0);
    });
  }

  it('npm start exits with code 1 and says what to do if its port is taken', async () => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address();
    const child = start(['--once'], { PORT: String(port) });
    const [status] = await once(child, 'close');
    server.close();
    assert.equal(status, 1);
    assert.match(child.errors, new RegExp(`port ${port} is taken; choose another one: PORT=`));
  });
});
