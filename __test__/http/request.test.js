'use strict';

// What opened a connection stays known for as long as it lives, and costs no more than its text.

const assert = require('node:assert/strict');
const http = require('node:http');
const { describe, it } = require('node:test');
const v8 = require('node:v8');
const vm = require('node:vm');
const { upgradeRequest } = require('../support/raw');
const { TIMEOUT, reach, served } = require('../support/native-server');

/** Headers that come twice, in each of the ways in which Node puts them together. */
const TWICE = { Cookie: 'a=1\r\ncookie: b=2', Age: '1\r\nage: 2', 'X-Two': '1\r\nx-two: 2' };

/** What an application can read of a request. */
function read(request) {
  const { method, url, httpVersion, httpVersionMajor, httpVersionMinor, upgrade } = request;
  const { headers, headersDistinct, rawHeaders } = request;
  const numbers = { httpVersion, httpVersionMajor, httpVersionMinor };
  return { method, url, ...numbers, upgrade, headers, headersDistinct, rawHeaders };
}

/**
 * The requests of an http.Server's connections, as they come. Not a listener, so that they stay unseen.
 * @param {http.Server} httpServer
 * @param {(request: http.IncomingMessage) => void} see
 */
function watch(httpServer, see) {
  const { emit } = httpServer;
  httpServer.emit = function watched(event, ...args) {
    if (event === 'upgrade' || event === 'request') see(args[0]);
    return Reflect.apply(emit, this, [event, ...args]);
  };
}

/** Opens a connection with a head of one's own, and gives the socket of the default namespace. */
async function connect(world, headers) {
  const connected = new Promise((resolve) => world.io.once('connection', resolve));
  const raw = await world.tcp();
  // A client of Engine.IO 3 is in the default namespace without asking.
  raw.socket.write(upgradeRequest({ query: 'EIO=3&transport=websocket&who=me', headers }));
  return connected;
}

describe('socket.request', () => {
  for (const [what, headers] of [
    ['ordinary headers', { 'User-Agent': 'test', 'X-Empty': '', Authorization: 'Basic eHg=' }],
    ['headers that come twice', TWICE],
  ]) {
    it(
      `socket.request with ${what} has the fields of the original request`,
      TIMEOUT,
      served({}, async (world) => {
        let came;
        watch(world.httpServer, (request) => {
          came = { ...read(request), port: request.socket.remotePort };
        });
        const socket = await connect(world, headers);
        const { port, ...expected } = came;
        assert.deepEqual(socket.handshake.headers, expected.headers);
        const { request } = socket;
        assert.deepEqual(read(request), expected);
        assert.ok(request instanceof http.IncomingMessage);
        assert.equal(request.socket.remoteAddress, socket.handshake.address);
        assert.equal(request.connection.remotePort, port);
        assert.equal(request.complete, true);
        assert.deepEqual(await request.toArray(), []);
      }),
    );
  }

  it(
    'socket.request of long polling has the fields of the original request',
    TIMEOUT,
    served({}, async (world) => {
      const seen = [];
      watch(world.httpServer, (request) => seen.push(read(request)));
      const raw = await world.polling();
      const { request } = raw.socket;
      assert.deepEqual(read(request), seen[0]);
      assert.match(request.url, /transport=polling/);
      assert.equal(request.socket.remoteAddress, raw.socket.handshake.address);
    }),
  );

  it(
    'socket.request is one object everywhere and keeps added properties',
    TIMEOUT,
    served({}, async (world) => {
      const { socket } = await world.raw();
      const { headers } = socket.handshake;
      headers.added = 'by the application';
      socket.request.session = { user: 1 };
      assert.equal(socket.request.headers, headers);
      assert.equal(socket.handshake.headers, headers);
      assert.equal(socket.conn.request, socket.request);
      assert.equal(socket.client.request, socket.request);
      assert.deepEqual(socket.request.session, { user: 1 });
      assert.equal(socket.conn.request.headers.added, 'by the application');
    }),
  );

  it(
    'deleting or replacing socket.conn.request changes the handshake',
    TIMEOUT,
    served({}, async (world) => {
      const first = await world.raw();
      delete first.socket.conn.request;
      assert.equal(first.socket.request, undefined);
      assert.deepEqual(first.socket.handshake.headers, {});
      assert.equal(first.socket.handshake.url, '');
      const second = await world.raw();
      second.socket.conn.request = { headers: { mine: 'yes' }, url: '/?mine=1' };
      assert.deepEqual(second.socket.handshake.headers, { mine: 'yes' });
      assert.equal(second.socket.handshake.query.mine, '1');
    }),
  );

  for (const [what, seen] of [
    [
      'middleware of the engine',
      ({ io }, see) => io.engine.use((req, res, next) => next(see(req))),
    ],
    [
      'a listener for headers',
      ({ io }, see) => io.engine.on('headers', (headers, req) => void see(req)),
    ],
    [
      'a listener for initial headers',
      ({ io }, see) => io.engine.on('initial_headers', (headers, req) => void see(req)),
    ],
    [
      'another listener of the http.Server',
      ({ httpServer }, see) => httpServer.on('upgrade', (req) => void see(req)),
    ],
  ]) {
    it(
      `socket.request is the object that ${what} got`,
      TIMEOUT,
      served({}, async (world) => {
        let request;
        seen(world, (req) => {
          req.user = 'somebody';
          request = req;
        });
        const { socket } = await world.raw();
        assert.equal(socket.request, request);
        assert.equal(socket.request.user, 'somebody');
        assert.equal(socket.handshake.headers, request.headers);
      }),
    );
  }

  it(
    'socket.request is the object that allowRequest got',
    TIMEOUT,
    served(
      {
        allowRequest: (req, allow) => {
          req.user = 'somebody';
          allow(null, true);
        },
      },
      async (world) => {
        const { socket } = await world.raw();
        assert.equal(socket.request.user, 'somebody');
      },
    ),
  );

  it(
    'socket.request.socket is the socket that a connection listener of the http.Server got',
    TIMEOUT,
    served({}, async (world) => {
      world.httpServer.on('connection', (socket) => {
        socket.user = 'somebody';
      });
      const { socket } = await world.raw();
      assert.equal(socket.request.socket.user, 'somebody');
    }),
  );

  it(
    'a request that no code has read is garbage collected with its socket',
    TIMEOUT,
    served({}, async (world) => {
      v8.setFlagsFromString('--expose-gc');
      const collect = vm.runInNewContext('gc');
      const held = [];
      watch(world.httpServer, (request) => {
        held.push(new WeakRef(request), new WeakRef(request.socket));
      });
      const raw = await world.raw();
      await reach(() => {
        collect();
        return held.length === 2 && held.every((one) => one.deref() === undefined);
      });
      assert.equal(raw.socket.connected, true);
      assert.match(raw.socket.handshake.url, /transport=websocket/);
    }),
  );
});
