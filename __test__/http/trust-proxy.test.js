'use strict';

// The option `trustProxy`: whose `X-Forwarded-For` and `X-Forwarded-Proto` count, and for what.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { once } = require('node:events');
const http = require('node:http');
const { describe, it } = require('node:test');
const { clientOf } = require('../../lib/socketio/trust-proxy');
const { Server } = require('../..');
const { TIMEOUT, happens, loopbackSocket, served, upgraded } = require('../support/native-server');

/** What came by the headers of a proxy at 127.0.0.1, which is the other end of every connection here. */
const FORWARDED = { 'X-Forwarded-For': '192.0.2.1, 203.0.113.7, 10.0.0.2' };

const TRANSPORTS = {
  'long polling': ['polling'],
  WebSocket: ['websocket'],
  'an upgrade to WebSocket': ['polling', 'websocket'],
};

/**
 * @param {object} world a server
 * @param {object} [headers] what the client, or a proxy, sends with it
 * @param {string[]} [transports] of the client
 * @returns {Promise<object>} the server's socket of a new client
 */
async function socketWith(world, headers = FORWARDED, transports = ['websocket']) {
  const { client, socket } = await world.connect('4.8', { transports, extraHeaders: headers });
  if (transports.length > 1) await upgraded(client);
  return socket;
}

describe('the option trustProxy', () => {
  for (const [title, trustProxy, address] of [
    ['is missing', undefined, '127.0.0.1'],
    ['is false', false, '127.0.0.1'],
    ['is 0', 0, '127.0.0.1'],
    ['is an empty array', [], '127.0.0.1'],
    ['names another address', '10.0.0.1', '127.0.0.1'],
    ['is 1', 1, '10.0.0.2'],
    ['is 2', 2, '203.0.113.7'],
    ["is 'loopback'", 'loopback', '10.0.0.2'],
    ["is 'loopback, 10.0.0.0/8'", 'loopback, 10.0.0.0/8', '203.0.113.7'],
    ['is an array of addresses', ['127.0.0.1', 'uniquelocal'], '203.0.113.7'],
    ['is a function', (one) => /^(127|10)\./.test(one), '203.0.113.7'],
    ['is a function of the hop', (one, hop) => hop < 1, '10.0.0.2'],
    ['is more than there are proxies', 9, '192.0.2.1'],
    ['is true', true, '192.0.2.1'],
  ]) {
    it(
      `handshake.address is ${address} if trustProxy ${title}`,
      TIMEOUT,
      served({ trustProxy }, async (world) => {
        const { handshake, conn, request } = await socketWith(world);
        assert.equal(handshake.address, address);
        assert.equal(conn.remoteAddress, '127.0.0.1');
        assert.equal(request.socket.remoteAddress, '127.0.0.1');
        assert.equal(handshake.headers['x-forwarded-for'], FORWARDED['X-Forwarded-For']);
      }),
    );
  }

  for (const [name, transports] of Object.entries(TRANSPORTS)) {
    it(
      `trustProxy is decided once for each connection, over ${name}`,
      TIMEOUT,
      served(
        () => {
          const asked = [];
          const trustProxy = (...args) => asked.push(args) > 0;
          return { trustProxy: Object.assign(trustProxy, { asked }) };
        },
        async (world) => {
          const { asked } = world.io.engine.opts.trustProxy;
          const socket = await socketWith(world, FORWARDED, transports);
          assert.equal(socket.handshake.address, '192.0.2.1');
          const before = asked.length;
          assert.ok(before <= 4, `${before} questions`);
          assert.deepEqual(asked[0], ['127.0.0.1', 0]);
          const disconnected = happens(socket, 'disconnect');
          socket.disconnect();
          await disconnected;
          assert.equal(socket.handshake.address, '192.0.2.1');
          assert.equal(asked.length, before);
        },
      ),
    );
  }

  it(
    'a header without an address leaves the address of the connection',
    TIMEOUT,
    served({ trustProxy: true }, async (world) => {
      for (const header of [undefined, '', ' ', ',', ' , ,, ']) {
        const headers = header === undefined ? {} : { 'X-Forwarded-For': header };
        const { handshake } = await socketWith(world, headers);
        assert.equal(handshake.address, '127.0.0.1', JSON.stringify(header));
      }
    }),
  );

  it('the cost of a header is in proportion to its length', () => {
    let questions = 0;
    const trust = () => (questions += 1) > 0;
    for (const [header, addresses] of [
      [','.repeat(16_000), 0],
      [', '.repeat(8_000), 0],
      ['1,'.repeat(8_000), 8_000],
      ['::1,'.repeat(4_000), 4_000],
    ]) {
      questions = 0;
      const request = { socket: { remoteAddress: '::1' }, headers: { 'x-forwarded-for': header } };
      clientOf(request, trust);
      assert.ok(questions <= addresses + 2, `${questions} questions for ${addresses} addresses`);
    }
  });

  it(
    'a connection with 15,000 commas in X-Forwarded-For is opened',
    TIMEOUT,
    served({ trustProxy: 'loopback' }, async (world) => {
      const { handshake } = await socketWith(world, { 'X-Forwarded-For': ','.repeat(15_000) });
      assert.equal(handshake.address, '127.0.0.1');
    }),
  );

  for (const [trustProxy, sent, secure] of [
    [undefined, 'https', false],
    ['10.0.0.1', 'https', false],
    ['loopback', undefined, false],
    ['loopback', 'http', false],
    ['loopback', 'https', true],
    ['loopback', 'HTTPS, http', true],
    ['loopback', 'http, https', false],
    ['loopback', 'wss', true],
    [1, 'https', true],
    [true, 'https', true],
  ]) {
    const header = sent === undefined ? 'no X-Forwarded-Proto' : `X-Forwarded-Proto ${sent}`;
    it(
      `handshake.secure is ${secure} with trustProxy ${trustProxy} and ${header}`,
      TIMEOUT,
      served({ trustProxy }, async (world) => {
        const headers = sent === undefined ? {} : { 'X-Forwarded-Proto': sent };
        assert.equal((await socketWith(world, headers)).handshake.secure, secure);
      }),
    );
  }

  it(
    'a client behind a trusted proxy is counted by its own address',
    TIMEOUT,
    served({ trustProxy: 'loopback' }, async (world) => {
      loopbackSocket().start(world.io, { maxPendingPerAddress: 1 });
      const from = (address) => socketWith(world, { 'X-Forwarded-For': address });
      await from('203.0.113.1');
      await from('203.0.113.2');
      const third = world.client('4.8', { extraHeaders: { 'X-Forwarded-For': '203.0.113.1' } });
      const [refusal] = await happens(third, 'unauthorized');
      assert.equal(refusal.code, 'ERR_LOOPBACK_SOCKET_TOO_MANY_PENDING');
    }),
  );

  it(
    'a forged X-Forwarded-For does not help a client past the limit of its address',
    TIMEOUT,
    served({ trustProxy: '10.0.0.1' }, async (world) => {
      loopbackSocket().start(world.io, { maxPendingPerAddress: 1 });
      await socketWith(world, { 'X-Forwarded-For': '203.0.113.1' });
      const second = world.client('4.8', { extraHeaders: { 'X-Forwarded-For': '203.0.113.2' } });
      const [refusal] = await happens(second, 'unauthorized');
      assert.equal(refusal.code, 'ERR_LOOPBACK_SOCKET_TOO_MANY_PENDING');
    }),
  );

  for (const transport of ['polling', 'websocket']) {
    it(
      `a function that throws refuses a ${transport} connection, as an allowRequest that throws does`,
      TIMEOUT,
      async (t) => {
        const failing = served(
          {
            trustProxy: () => {
              throw new Error('no proxies today');
            },
          },
          async (world) => {
            const refused = once(world.io.engine, 'connection_error');
            const client = world.client('4.8', { transports: [transport] });
            await happens(client, 'connect_error');
            const [{ code, context }] = await refused;
            assert.deepEqual([code, context.error.message], [4, 'no proxies today']);
            assert.equal(world.io.engine.clientsCount, 0);
          },
        );
        await failing(t);
      },
    );
  }

  it(
    'an async function refuses the client, since its promise would count as trust',
    TIMEOUT,
    served({ trustProxy: () => Promise.reject(new Error('late')) }, async (world) => {
      const refused = once(world.io.engine, 'connection_error');
      await happens(world.client('4.8', { transports: ['polling'] }), 'connect_error');
      const [{ context }] = await refused;
      assert.match(context.error.message, /not a promise/);
    }),
  );

  it('a value that is none throws when the server is made', () => {
    for (const trustProxy of [
      'nginx',
      '10.0.0.0/33',
      '10.0.0.0/',
      ['10.0.0.1', ''],
      [1],
      -1,
      1.5,
      Infinity,
      {},
      new Map(),
    ]) {
      assert.throws(() => new Server(http.createServer(), { trustProxy }), {
        code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION',
        option: 'trustProxy',
        message: /must be true, a number of proxies, a function/,
      });
    }
    for (const nothing of [undefined, null, false, 0, '', []]) {
      const { engine } = new Server(http.createServer(), { trustProxy: nothing });
      assert.equal(engine.opts.trustProxy, undefined);
    }
  });

  it('a server that trusts no proxy does not load proxy-addr', () => {
    const program = `
      const { Server } = require(${JSON.stringify(require.resolve('../..'))});
      new Server({ trustProxy: TRUST });
      const isLoaded = Object.keys(require.cache).some((file) => file.includes('proxy-addr'));
      process.stdout.write(String(isLoaded));
    `;
    const isLoadedWith = (trust) =>
      execFileSync(process.execPath, ['-e', program.replace('TRUST', trust)], { encoding: 'utf8' });
    assert.equal(isLoadedWith('false'), 'false');
    assert.equal(isLoadedWith("'loopback'"), 'true');
  });
});
