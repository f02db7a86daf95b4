'use strict';

// The options Socket.IO has: what is taken, what is refused, and what is ignored with a warning.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const { describe, it } = require('node:test');
const { WebSocket } = require('ws');
const { Server } = require('../..');
const { beside } = require('../support/beside');
const { TIMEOUT, happens, served } = require('../support/native-server');

const OPEN = '/socket.io/?EIO=4&transport=polling';

const make = (options) => new Server(http.createServer(), options);

describe('unsupported options', () => {
  for (const [name, value] of [
    ['initialPacket', 'hello'],
    ['origins', '*:*'],
    ['transports', ['polling', 'webtransport']],
    ['parser', { Encoder: class Encoder {}, Decoder: class Decoder {} }],
    ['parser', 'schemapack'],
  ]) {
    it(`the option ${name} is refused with a message that says what to use instead`, () => {
      assert.throws(() => make({ [name]: value }), {
        name: 'UnsupportedOptionError',
        code: 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_OPTION',
        option: name,
        message: /(Use|Emit) .+\.$/,
      });
    });
  }

  it('an unsupported option is accepted if it is switched off', () => {
    for (const off of [undefined, null, false]) {
      make({ initialPacket: off, parser: off });
    }
  });
});

describe('ignored options', () => {
  it('an ignored option emits one warning', TIMEOUT, async () => {
    const warnings = [];
    const listener = (warning) => warnings.push(warning);
    process.on('warning', listener);
    for (const value of [false, undefined, true, { threshold: 1 }]) make({ wsEngine: value });
    await new Promise(setImmediate);
    process.off('warning', listener);
    assert.deepEqual(
      warnings.map(({ code, message }) => [code, /'(\w+)'/.exec(message)[1]]),
      [['ERR_LOOPBACK_SOCKET_IGNORED_OPTION', 'wsEngine']],
    );
  });
});

describe('servers with the same path', () => {
  it('a second server on the same path of an http.Server emits one warning unless the first is closed', async () => {
    const warnings = [];
    const listener = (warning) => warnings.push(warning);
    process.on('warning', listener);
    const httpServer = http.createServer();
    const first = new Server(httpServer);
    const other = new Server(httpServer, { path: '/other' });
    const second = new Server(httpServer);
    await Promise.all([first, other, second].map((io) => io.close()));
    await new Server(httpServer).close();
    await new Promise(setImmediate);
    process.off('warning', listener);
    assert.deepEqual(
      warnings.map(({ code, message }) => [code, /'(.+)'/.exec(message)[1]]),
      [['ERR_LOOPBACK_SOCKET_SAME_PATH', '/socket.io/']],
    );
  });
});

describe('invalid options', () => {
  for (const [name, ...values] of [
    ['addTrailingSlash', 'no', 0],
    ['transports', 'polling', [], ['polling', 'smoke'], {}],
    ['allowUpgrades', 1],
    ['allowRequest', true, {}],
    ['allowEIO3', 'yes'],
    ['cookie', 1, { name: 'a b' }, { name: 'a', path: 'a\nb' }, { sameSite: 'sometimes' }],
    ['cors', 'https://example.com', 1],
    ['cleanupEmptyChildNamespaces', 'yes'],
    ['destroyUpgrade', 'yes'],
    ['destroyUpgradeTimeout', -1, '1s'],
  ]) {
    it(`an invalid value of the option ${name} is an error that says what the option needs`, () => {
      for (const value of values) {
        assert.throws(() => make({ [name]: value }), {
          code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION',
          option: name,
          message: new RegExp(`'${name}' must be `),
        });
      }
    });
  }
});

describe('empty options', () => {
  it(
    'values that socket.io treats as not given have the default of socket.io',
    TIMEOUT,
    beside(
      {
        path: '',
        cors: null,
        cookie: null,
        allowRequest: null,
        connectTimeout: 0,
      },
      async (host) => [
        await host.request(OPEN, { headers: { origin: 'https://example.com' } }),
        host.io.path(),
      ],
    ),
  );
});

describe('path and addTrailingSlash', () => {
  for (const options of [
    { path: '/a' },
    { path: '/a/' },
    { path: '/a/b' },
    { path: '/a', addTrailingSlash: false },
    { path: '/a/', addTrailingSlash: false },
    { addTrailingSlash: true },
  ]) {
    it(
      `clients connect at the same paths as on socket.io with ${JSON.stringify(options)}`,
      TIMEOUT,
      beside(options, async (host) => {
        const answers = [];
        for (const path of [
          '/a',
          '/a/',
          '/a/b',
          '/a/b/',
          '/ab',
          '/b',
          '/socket.io',
          '/socket.io/',
        ]) {
          answers.push([path, await host.request(`${path}?EIO=4&transport=polling`)]);
        }
        return answers;
      }),
    );
  }
});

describe('transports and allowUpgrades', () => {
  for (const options of [
    { transports: ['polling'] },
    { transports: ['polling', 'websocket'] },
    { allowUpgrades: false },
  ]) {
    it(
      `polling clients are offered the same upgrades as on socket.io with ${JSON.stringify(options)}`,
      TIMEOUT,
      beside(options, (host) => host.request(OPEN)),
    );
  }

  it(
    'allowUpgrades: false refuses an upgrade and polling goes on',
    TIMEOUT,
    served({ allowUpgrades: false }, async (world) => {
      const told = once(world.io.engine, 'connection_error');
      const raw = await world.polling();
      const query = `EIO=4&transport=websocket&sid=${raw.sid}`;
      const ws = new WebSocket(`ws://127.0.0.1:${world.port}/socket.io/?${query}`);
      const [, response] = await happens(ws, 'unexpected-response');
      assert.equal(response.statusCode, 400);
      assert.deepEqual((await told)[0].context, { name: 'UPGRADE_NOT_ALLOWED' });
      raw.socket.on('echo', (value, done) => done(value));
      assert.deepEqual(await raw.call('echo', 1), [1]);
    }),
  );

  it(
    'a server with only polling does not listen for upgrades',
    TIMEOUT,
    served({ transports: ['polling'] }, async (world) => {
      assert.equal(world.httpServer.listenerCount('upgrade'), 0);
      const { socket } = await world.connect('4.8', { transports: ['polling', 'websocket'] });
      assert.equal(socket.conn.transport.name, 'polling');
    }),
  );
});
