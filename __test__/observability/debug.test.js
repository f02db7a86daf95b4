'use strict';

// What DEBUG=loopback-socket* shows, on every kind of server.

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { once } = require('node:events');
const http = require('node:http');
const path = require('node:path');
const { afterEach, beforeEach, describe, it } = require('node:test');
const { format, stripVTControlCharacters } = require('node:util');
const createDebug = require('debug');
const LoopbackSocket = require('../..');
const { HOSTS, authenticate, call, next } = require('../support/js-hosts');
const { SECRET, open, pool } = require('./observed');

/** Long enough for a busy machine; nothing waits this long unless a promise is broken. */
const TIMEOUT = 60_000;

const { log } = createDebug;

/** What has been written, a line or a stack each. */
let written = [];
let wake = () => {};

beforeEach(() => {
  written = [];
  createDebug.log = (...args) => {
    written.push(stripVTControlCharacters(format(...args)));
    wake();
  };
});
afterEach(() => {
  createDebug.disable();
  createDebug.log = log;
});

/**
 * @param {RegExp} pattern what is to be written
 * @returns {Promise<string>} it, once it is
 */
async function line(pattern) {
  for (;;) {
    const found = written.find((text) => pattern.test(text));
    if (found !== undefined) return found;
    await new Promise((resolve) => (wake = resolve));
  }
}

/**
 * @returns {string[]} the first line of each that was written, without times and without names of sockets
 */
const summary = () =>
  written.map((text) =>
    text
      .split('\n', 1)[0]
      .replace(/^.*?(?=loopback-socket:)/, '')
      .replace(/(:\w+ )[\w-]{20}/, '$1ID')
      .replace(/ +(\+\d+m?s)?$/, '')
      .replace(/[\d.]+ ms/, 'N ms'),
  );

for (const host of HOSTS) {
  describe(`DEBUG on ${host}`, { timeout: TIMEOUT }, () => {
    it(`DEBUG shows the life of a socket, without its credentials, on ${host}`, async (t) => {
      createDebug.enable('loopback-socket*');
      const { connect, name } = await open(t, host, (sockets) => {
        sockets.defineMethod('add', (socket, credentials, { a, b }) => a + b);
        sockets.defineMethod('later', async () => SECRET);
      });
      const { client } = await connect();
      client.emit('authentication', { token: `not ${SECRET}` });
      await next(client, 'unauthorized');
      await authenticate(client, { token: SECRET });
      assert.deepEqual(await call(client, 'add', { a: 1, b: 2, c: SECRET }), { result: 3 });
      assert.deepEqual(await call(client, 'later'), { result: SECRET });
      client.close();
      await line(/has disconnected/);

      const kind = host === 'native' ? 'native' : 'hosted';
      const shown = summary();
      const [connected] = shown.splice(0, 1);
      assert.match(
        connected,
        new RegExp(
          `^loopback-socket:connect ID has connected to / from [\\d:.f]+ by websocket, ${kind} server$`,
        ),
      );
      assert.deepEqual(shown, [
        `loopback-socket:authenticate ID authenticates with "${name}"`,
        'loopback-socket:error authentication for ' +
          `${written.find((text) => text.includes('RangeError')).match(/for ([\w-]{20})/)[1]} ` +
          '(no onError listener): RangeError: token unknown',
        `loopback-socket:authenticate ID is refused by "${name}" after N ms: "token unknown"`,
        `loopback-socket:authenticate ID authenticates with "${name}"`,
        `loopback-socket:authenticate ID has authenticated with "${name}" after N ms`,
        `loopback-socket:call ID calls ${name}/add`,
        `loopback-socket:call ID is answered by ${name}/add after N ms`,
        `loopback-socket:call ID calls ${name}/later`,
        `loopback-socket:call ID is answered by ${name}/later after N ms`,
        'loopback-socket:disconnect ID has disconnected: "client namespace disconnect"',
      ]);
      assert.ok(!written.join('\n').includes(SECRET), written.join('\n'));
    });

    it(`DEBUG shows errors of methods with their stacks and causes, on ${host}`, async (t) => {
      createDebug.enable('loopback-socket:error');
      const { connect, name, sockets } = await open(t, host, (instance) => {
        instance.defineMethod('fail', async function broken() {
          throw new TypeError('oops', { cause: new RangeError('deeper') });
        });
        instance.defineMethod('string', () => Promise.reject('just\ntext'));
        instance.defineMethod('bigint', () => 1n);
        instance.defineMethod('twice', async (socket, credentials, args, cb) => {
          cb(null, 'first');
          throw new Error('too late');
        });
      });
      const { client } = await connect();
      await authenticate(client, { token: SECRET });
      assert.deepEqual(await call(client, 'fail'), { error: {} });
      assert.match(
        await line(/oops/),
        /method fail for \S+ \(no onError listener\): TypeError: oops\n +at .*broken[^]*caused by RangeError: deeper\n +at /,
      );
      assert.deepEqual(await call(client, 'string'), { error: 'just\ntext' });
      assert.match(await line(/just/), /\(no onError listener\): "just\\ntext"/);
      await call(client, 'bigint');
      assert.match(await line(/method bigint/), /UnsendableValueError[^]*caused by TypeError/);
      assert.deepEqual(await call(client, 'twice'), { result: 'first' });
      assert.match(await line(/too late/), /method twice/);
      written = [];
      sockets.onError(() => {});
      await call(client, 'fail');
      assert.match(await line(/oops/), /method fail for \S+: TypeError: oops/);
      assert.ok(!written.join('\n').includes(name), 'other topics are not shown');
    });

    it(`DEBUG shows timeouts, subscriptions and who is turned away, on ${host}`, async (t) => {
      createDebug.enable('loopback-socket:*,-loopback-socket:connect');
      const impatient = await open(t, host, undefined, { timeout: 50 });
      const late = await impatient.connect();
      await next(late.client, 'disconnect');
      await line(/has not authenticated in time: its connection is closed/);
      await line(/has disconnected: "server namespace disconnect"/);

      const { connect, name, sockets } = await open(
        t,
        host,
        (instance) => {
          instance.defineMethod('hang', () => new Promise(() => {}), { timeout: 20 });
          instance.defineSubscription('numbers', async function* numbers() {
            yield 1;
          });
          instance.defineSubscription('forbidden', () => [], { authorize: () => false });
        },
        { timeout: 'none', slowAfter: 10 },
      );
      const { client } = await connect();
      await authenticate(client, { token: SECRET });
      await call(client, 'hang');
      await line(/gets an error from .*\/hang after .*ERR_LOOPBACK_SOCKET_CALL_TIMEOUT "/);
      await line(new RegExp(`:slow \\S+ took \\d+ ms: call ${name}/hang`));
      const { result } = await call(client, 'numbers', {});
      await line(/has subscribed to .*\/numbers/);
      await line(new RegExp(`is subscribed to numbers no more \\(${result.subscription}\\): end`));
      await call(client, 'forbidden', {});
      await line(/gets an error from .*\/forbidden after .*ERR_LOOPBACK_SOCKET_FORBIDDEN/);
      sockets.revoke(() => true);
      await line(/is turned away: ERR_LOOPBACK_SOCKET_REVOKED/);
    });

    it(`DEBUG shows whom middleware of a namespace refuses, and why, on ${host}`, async (t) => {
      createDebug.enable('loopback-socket:connect');
      const { io, client, sockets } = await open(t, host);
      const shops = io.of(/^\/shop-\d$/);
      sockets.start(shops);
      const data = { token: SECRET };
      const refusal = Object.assign(new RangeError('no\nentry'), { code: 'E_ENTRY', data });
      for (const namespace of [io, shops]) {
        namespace.use((socket, proceed) => {
          proceed(socket.handshake.query.entry === 'free' ? undefined : refusal);
        });
      }
      const query = { entry: 'free' };
      // A client of version 2 is in the default namespace before it is in any other.
      client('/', { query });
      await line(/has connected to \/ from/);
      client('/shop-1');
      await line(/[\w-]{20} is refused in "\/(shop-1)?": E_ENTRY "no\\nentry"/);
      written = [];
      const stranger = client('/', {});
      await Promise.race(['connect_error', 'error'].map((event) => next(stranger, event)));
      await line(/[\w-]{20} is refused in "\/": E_ENTRY "no\\nentry"/);
      assert.ok(!written.join('\n').includes(SECRET), written.join('\n'));
    });

    it(`DEBUG shows an attempt of a client that leaves before it is decided, on ${host}`, async (t) => {
      createDebug.enable('loopback-socket:authenticate');
      const enter = pool(t);
      let begun;
      const hasBegun = new Promise((resolve) => (begun = resolve));
      const { connect } = await open(t, host, (sockets) => {
        sockets.auth((socket, credentials, cb) => {
          begun();
          socket.once('disconnect', () => enter(() => cb(null, true)));
        });
      });
      const { client } = await connect();
      client.emit('authentication', {});
      await hasBegun;
      client.close();
      await line(/has left, or has sent other credentials/);
    });
  });
}

it('DEBUG shows which requests a native server refuses', { timeout: TIMEOUT }, async (t) => {
  createDebug.enable('loopback-socket:connect');
  const httpServer = http.createServer();
  const io = new LoopbackSocket.Server(httpServer);
  t.after(() => io.close());
  httpServer.listen(0);
  await once(httpServer, 'listening');
  const base = `http://127.0.0.1:${httpServer.address().port}/socket.io/?EIO=4&transport=`;
  await fetch(`${base}polling&sid=unknown`);
  await line(/a request from (::ffff:)?127\.0\.0\.1 is refused: unknown_session/);
  await fetch(`${base}bogus`);
  await line(/is refused: unknown_transport/);
  assert.deepEqual(io.metrics().requests.refused, { unknown_session: 1, unknown_transport: 1 });
});

it('the environment variable DEBUG shows what happens, on stderr alone', () => {
  const program = `
    const LoopbackSocket = require(${JSON.stringify(path.join(__dirname, '..', '..'))});
    const { EventEmitter } = require('events');
    const io = new EventEmitter();
    const sockets = LoopbackSocket.get('shop');
    sockets.auth(() => { throw new Error('forged\\nline\\u001b[31m'); });
    sockets.start(io);
    const socket = Object.assign(new EventEmitter(), { id: 'the-id', disconnect() {} });
    io.emit('connection', socket);
    socket.emit('authentication', { token: 'secret' });
    setImmediate(() => process.exit());
  `;
  const run = (DEBUG) =>
    spawnSync(process.execPath, ['-e', program], {
      encoding: 'utf8',
      env: { ...process.env, DEBUG },
    });
  const shown = run('loopback-socket*');
  assert.equal(shown.status, 0, shown.stderr);
  assert.equal(shown.stdout, '');
  assert.match(shown.stderr, /loopback-socket:connect the-id has connected/);
  assert.match(
    shown.stderr,
    /loopback-socket:authenticate the-id is refused by "shop" .*"forged\\nline\\u001b\[31m"/,
  );
  assert.ok(!shown.stderr.includes('secret'), shown.stderr);
  assert.match(shown.stderr, /: Error: forged\n {2}line\\u001b\[31m\n {6}at /);
  const lines = shown.stderr.trim().split('\n');
  assert.ok(
    lines.every((line) => /^(\S+ loopback-socket:| {2})/.test(line)),
    shown.stderr,
  );
  assert.equal(run('other').stderr, '');
});
