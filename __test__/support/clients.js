'use strict';

/** Servers of each kind with clients of each version, for the tests of the helper. */

const { once } = require('node:events');
const http = require('node:http');
const LoopbackSocket = require('../..');

const CLIENTS = {
  1.7: 'socket.io-client-1',
  2.5: 'socket.io-client-2',
  3.1: 'socket.io-client-3',
  4.8: 'socket.io-client',
};

const SERVERS = { 2: 'socket.io-2', 3: 'socket.io-3', 4: 'socket.io' };

/** The servers with the clients that can talk to them. */
const PAIRS = [
  ['native', '1.7'],
  ['native', '2.5'],
  ['native', '3.1'],
  ['native', '4.8'],
  [2, '1.7'],
  [2, '2.5'],
  [3, '3.1'],
  [4, '2.5'],
  [4, '4.8'],
];

/** Long enough for a busy machine; nothing waits this long unless a promise is broken. */
const TIMEOUT = { timeout: 20_000 };

let names = 0;

/**
 * Opens a server for a test, with an instance that accepts the token `valid`. Both end with the test.
 *
 * @param {import('node:test').TestContext} t the test
 * @param {number | 'native'} host the major version of socket.io, or the native server
 * @param {string} version the version of the clients
 * @param {(sockets: LoopbackSocket) => void} [define] defines what the instance has
 * @param {object} [startOptions] of `start()`
 * @returns {Promise<object>} the server `io`, the instance `sockets`, `connect(options)` for a socket
 *   of a client
 */
async function open(t, host, version, define = () => {}, startOptions) {
  const httpServer = http.createServer();
  const io =
    host === 'native'
      ? new LoopbackSocket.Server(httpServer)
      : require(SERVERS[host])(httpServer, { allowEIO3: true });
  const sockets = LoopbackSocket.get(`clients ${++names}`, 'none');
  sockets.auth((socket, credentials) => credentials?.token === 'valid');
  define(sockets);
  sockets.start(io, startOptions);
  const opened = [];
  t.after(() => {
    opened.forEach((socket) => {
      socket.io.reconnection(false);
      socket.io.engine?.close();
      socket.close();
    });
    io.close();
  });
  httpServer.listen(0);
  await once(httpServer, 'listening');
  const url = `http://localhost:${httpServer.address().port}`;
  const connect = (options = {}) => {
    const socket = require(CLIENTS[version])(url, {
      transports: ['websocket'],
      forceNew: true,
      reconnectionDelay: 10,
      reconnectionDelayMax: 20,
      ...options,
    });
    opened.push(socket);
    return socket;
  };
  return { io, sockets, connect, url };
}

/**
 * @param {object} emitter anything with `once`
 * @param {string} event its name
 * @returns {Promise<unknown[]>} the arguments of the next such event
 */
function next(emitter, event) {
  return new Promise((resolve) => {
    emitter.once(event, (...args) => resolve(args));
  });
}

/**
 * Waits for a state of a client.
 *
 * @param {EventTarget} app the client
 * @param {string} state the state
 * @returns {Promise<void>} when it has it
 */
async function reachState(app, state) {
  while (app.state !== state) {
    await new Promise((resolve) => {
      app.addEventListener('statechange', resolve, { once: true });
    });
  }
}

/**
 * Cuts the connection of a client, which then connects again.
 *
 * @param {object} socket of socket.io-client
 * @returns {void}
 */
function cut(socket) {
  socket.io.engine.close();
}

/** The socket of a client as far as the helper needs it, whose server is the test. */
class FakeSocket {
  connected = true;
  active = true;
  sent = [];
  #listeners = new Map();

  /** Sockets have it from version 3 on. */
  onAny() {}

  on(event, listener) {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
  }

  off(event, listener) {
    const others = (this.#listeners.get(event) ?? []).filter((other) => other !== listener);
    this.#listeners.set(event, others);
  }

  /** @returns {string[]} the events that have listeners, sorted */
  get events() {
    const used = [...this.#listeners].filter(([, listeners]) => listeners.length > 0);
    return used.map(([event]) => event).sort();
  }

  /**
   * The helper sends an event.
   *
   * @param {string} event its name
   * @param {...unknown} args its arguments
   * @returns {void}
   */
  emit(event, ...args) {
    this.sent.push([event, ...args]);
  }

  /**
   * The server sends an event, or the socket itself.
   *
   * @param {string} event its name
   * @param {...unknown} args its arguments
   * @returns {void}
   */
  receive(event, ...args) {
    (this.#listeners.get(event) ?? []).forEach((listener) => listener(...args));
  }

  /**
   * The server answers the last request.
   *
   * @param {object} answer what it answers with
   * @returns {void}
   */
  answer(answer) {
    this.sent.at(-1).at(-1)(answer);
  }

  /**
   * The socket disconnects.
   *
   * @param {boolean} [isActive] whether it will connect again
   * @returns {void}
   */
  disconnect(isActive = true) {
    this.connected = false;
    this.active = isActive;
    this.receive('disconnect', isActive ? 'transport close' : 'io server disconnect');
  }

  /** The socket connects, and the server accepts its credentials. */
  connect() {
    this.connected = true;
    this.active = true;
    this.receive('connect');
    this.receive('authenticated', true);
  }
}

module.exports = { FakeSocket, PAIRS, TIMEOUT, cut, next, open, reachState };
