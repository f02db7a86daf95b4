'use strict';

/**
 * A server of either kind with a LoopbackSocket that has subscriptions, for one test, and clients for it.
 * Whatever a test opened is closed when it ends.
 */

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const LoopbackSocket = require('../..');
const { RawPolling, RawWebsocket } = require('./raw');

const SERVERS = {
  native: (httpServer, options) => new LoopbackSocket.Server(httpServer, options),
  2: (httpServer, options) => require('socket.io-2')(httpServer, options),
  3: (httpServer, options) => require('socket.io-3')(httpServer, options),
  4: (httpServer, options) => require('socket.io')(httpServer, options),
};

/** Long enough for a busy machine; nothing waits this long unless a promise is broken. */
const TIMEOUT = { timeout: 40_000 };

let made = 0;

class SubscriptionWorld {
  #clients = [];
  /** The connections of Engine.IO, on an npm server. */
  #connections = [];
  /** The same as Node has them. */
  #tcpSockets = [];

  /**
   * @param {'native' | 2 | 3 | 4} server what serves: the native server, or npm socket.io of a version
   * @param {object} [options] of the server
   * @param {object} [startOptions] of `start()`
   */
  constructor(server, options = {}, startOptions = undefined) {
    this.server = server;
    this.httpServer = http.createServer();
    this.io = SERVERS[server](this.httpServer, { serveClient: false, ...options });
    if (server !== 'native') {
      this.io.engine.on('connection', (connection) => {
        // How long it waits for another poll to say goodbye with, in ms.
        connection.transport.closeTimeout = 100;
        this.#connections.push(connection);
      });
      this.httpServer.on('connection', (socket) => this.#tcpSockets.push(socket));
    }
    this.sockets = this.instance();
    this.startOptions = startOptions;
  }

  /** @returns {any} a LoopbackSocket that no other test knows; it refuses the credentials `{ token: 'wrong' }` */
  instance() {
    made += 1;
    const sockets = LoopbackSocket.get(`subscriptions ${process.pid} ${made}`, 'none');
    sockets.auth((socket, credentials) => credentials?.token !== 'wrong');
    sockets.defineMethod('answer', () => 'pong');
    return sockets;
  }

  /** @returns {Promise<void>} when clients can connect */
  async listen() {
    this.sockets.start(this.io, this.startOptions);
    this.httpServer.listen(0, '127.0.0.1');
    await once(this.httpServer, 'listening');
    this.port = this.httpServer.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
  }

  /**
   * @param {{ open: (options: object) => Promise<any> }} kind a kind of client, see
   *   `compatibility/clients/promises.js`
   * @param {object} [options] of the client
   * @returns {Promise<any>} one that is connected and authenticated
   */
  async client(kind, { credentials = { token: 'valid' }, ...options } = {}) {
    const client = await kind.open({ url: this.url, transports: ['websocket'], ...options });
    this.#clients.push(() => client.close());
    await client.next('connect');
    await authenticate(client, credentials);
    return client;
  }

  /**
   * @param {object} [options] `eio`, `transport` (websocket or polling), `authenticated`
   * @returns {Promise<RawSubscriber>} a client that speaks frames, connected and authenticated
   */
  async raw({ eio, transport = 'websocket', isAuthenticated = true, ...options } = {}) {
    const Raw = transport === 'websocket' ? RawWebsocket : RawPolling;
    const raw = new Raw(this.port, { eio: eio ?? (this.server === 2 ? 3 : 4), ...options });
    this.#clients.push(() => raw.terminate());
    await raw.opened();
    await raw.join();
    if (isAuthenticated) {
      await raw.send('42["authentication",{"token":"valid"}]');
      await raw.packet('2["authenticated",true]');
    }
    return raw;
  }

  /** @returns {Promise<void>} when everything has ended */
  async close() {
    this.#clients.forEach((close) => close());
    this.httpServer.closeAllConnections();
    const closed = new Promise((resolve) => {
      this.io.close(resolve);
    });
    // npm socket.io waits until its clients have closed their ends, which python-socketio may forget.
    this.#tcpSockets.forEach((socket) => socket.destroy());
    await closed;
    // npm socket.io waits for a client of long polling that vanished until its ping is due.
    this.#connections.forEach((connection) => connection.onClose('the test is over'));
  }
}

/**
 * @param {any} client a client
 * @param {unknown} credentials what to authenticate with
 * @returns {Promise<void>} when the client is authenticated
 */
async function authenticate(client, credentials) {
  client.emit('authentication', credentials);
  assert.deepEqual(await client.next('authenticated'), [true]);
}

/**
 * Runs a test with a server of a kind.
 *
 * @param {'native' | 2 | 3 | 4} server
 * @param {(world: SubscriptionWorld, t: object) => Promise<void>} test
 * @param {...object} options of the server, and of `start()`
 * @returns {(t: import('node:test').TestContext) => Promise<void>} for `it`
 */
function subscribed(server, test, ...options) {
  return async (t) => {
    const world = new SubscriptionWorld(server, ...options);
    await world.listen();
    t.signal.addEventListener('abort', () => world.close());
    try {
      await test(world, t);
    } finally {
      await world.close();
    }
  };
}

/**
 * @returns {{ promise: Promise<any>, resolve: (value?: any) => void }} a promise and what settles it
 */
function deferred() {
  let resolve;
  const promise = new Promise((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

module.exports = { SubscriptionWorld, TIMEOUT, authenticate, deferred, subscribed };
