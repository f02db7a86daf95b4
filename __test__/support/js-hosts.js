'use strict';

/**
 * Servers of npm `socket.io` of each version with their clients, and emitters that look like
 * them, for the tests of the hosted side.
 */

const { EventEmitter, once } = require('node:events');
const http = require('node:http');
const LoopbackSocket = require('../..');

/** By major version of the server. */
const PACKAGES = {
  2: { server: 'socket.io-2', client: 'socket.io-client-2' },
  3: { server: 'socket.io-3', client: 'socket.io-client-3' },
  4: { server: 'socket.io', client: 'socket.io-client' },
};

const VERSIONS = Object.keys(PACKAGES).map(Number);

/** Every kind of server: those of JavaScript, and the native one with clients of version 4. */
const HOSTS = [...VERSIONS, 'native'];

let names = 0;

/**
 * @param {...unknown} timeout as `LoopbackSocket.get` takes it; `'none'` if left out
 * @returns {LoopbackSocket} one that no other test knows
 */
function newInstance(...timeout) {
  const [given] = timeout.length > 0 ? timeout : ['none'];
  return LoopbackSocket.get(`js-hosts ${++names}`, given);
}

/**
 * Opens a real server for a test; it is closed with its clients when the test ends.
 *
 * @param {import('node:test').TestContext} t the test
 * @param {number | 'native'} version the major version of socket.io, or the native server
 * @param {object} [options] of the server
 * @returns {Promise<{io: object, connect: (namespace?: string, options?: object) => object}>} the
 *   server, and what gives a client that is connecting
 */
async function openServer(t, version, options = {}) {
  const { server, client } = PACKAGES[version === 'native' ? 4 : version];
  const httpServer = http.createServer();
  const io =
    version === 'native'
      ? new LoopbackSocket.Server(httpServer, options)
      : require(server)(httpServer, options);
  const clients = [];
  t.after(() => {
    clients.forEach((socket) => socket.io.engine?.close());
    clients.forEach((socket) => socket.close());
    io.close();
  });
  httpServer.listen(0);
  await once(httpServer, 'listening');
  const url = `http://localhost:${httpServer.address().port}`;
  const connect = (namespace = '/', clientOptions = {}) => {
    const base = { transports: ['websocket'], reconnection: false, forceNew: true };
    const socket = require(client)(url + namespace, { ...base, ...clientOptions });
    clients.push(socket);
    return socket;
  };
  return { io, connect };
}

/**
 * @param {object} emitter anything with `once`
 * @param {string} event its name
 * @returns {Promise<unknown>} the first argument of the next such event
 */
function next(emitter, event) {
  return new Promise((resolve) => {
    emitter.once(event, (value) => resolve(value));
  });
}

/**
 * @param {object} client a client
 * @param {string} name the event or method
 * @param {...unknown} args its arguments
 * @returns {Promise<unknown>} what the server acknowledges with
 */
function call(client, name, ...args) {
  return new Promise((resolve) => {
    client.emit(name, ...args, resolve);
  });
}

/**
 * @param {object} client a client
 * @param {unknown} [credentials] what to authenticate with
 * @returns {Promise<unknown>} what came with `authenticated`
 */
function authenticate(client, credentials = {}) {
  const authenticated = next(client, 'authenticated');
  client.emit('authentication', credentials);
  return authenticated;
}

/**
 * Keeps the names of the events a client gets, in order.
 *
 * @param {object} client the client
 * @returns {string[]} grows with each event
 */
function heard(client) {
  const names = [];
  const onevent = client.onevent;
  client.onevent = function record(packet) {
    names.push(packet.data[0]);
    return onevent.call(this, packet);
  };
  return names;
}

/**
 * Sends a client a last event of its own; what was sent before has arrived when this is done.
 *
 * @param {object} socket the server's side
 * @param {object} client the client's side
 * @returns {Promise<void>} when the event has arrived
 */
async function flush(socket, client) {
  const flushed = next(client, 'flushed');
  socket.emit('flushed');
  await flushed;
}

/**
 * @param {object} io a server or namespace
 * @param {object} client a client that is connecting to it
 * @returns {Promise<object>} the server's side of it
 */
async function socketOf(io, client) {
  const [socket] = await Promise.all([next(io, 'connection'), next(client, 'connect')]);
  return socket;
}

/**
 * Ends the connection of a client as the network does.
 *
 * @param {object} socket the server's side of one of its sockets
 * @param {object} client the client's side
 * @returns {Promise<void>} when the server knows
 */
async function lose(socket, client) {
  const lost = next(socket, 'disconnect');
  client.io.engine.close();
  await lost;
}

/**
 * Connects a client again.
 *
 * @param {object} io a server or namespace
 * @param {object} client a client of it that has lost its connection
 * @returns {Promise<object>} the server's side
 */
function comeBack(io, client) {
  const coming = socketOf(io, client);
  client.connect();
  return coming;
}

/**
 * A server that is nothing but `on` and `emit`, and its sockets.
 */
class FakeServer {
  constructor() {
    this.listeners = [];
  }

  on(event, listener) {
    if (event === 'connection') {
      this.listeners.push(listener);
    }
  }

  emit(event, socket) {
    this.listeners.forEach((listener) => listener(socket));
  }

  /**
   * @returns {FakeSocket} a new socket, connected
   */
  connect() {
    const socket = new FakeSocket();
    this.emit('connection', socket);
    return socket;
  }
}

/** A socket that keeps what the server sends, and has the listeners as `receive` calls them. */
class FakeSocket extends EventEmitter {
  constructor() {
    super();
    this.sent = [];
    this.disconnects = [];
  }

  emit(event, ...args) {
    this.sent.push([event, ...args]);
    super.emit(`sent ${event}`, ...args);
    return true;
  }

  /**
   * The client emits an event.
   *
   * @param {string} event its name
   * @param {...unknown} args its arguments, an acknowledgement last
   * @returns {void}
   */
  receive(event, ...args) {
    super.emit(event, ...args);
  }

  /**
   * @param {unknown} [credentials] what to authenticate with
   * @returns {Promise<unknown>} what came with `authenticated`
   */
  authenticate(credentials) {
    const authenticated = next(this, 'sent authenticated');
    this.receive('authentication', credentials);
    return authenticated;
  }

  disconnect(close) {
    this.disconnects.push(close);
    super.emit('disconnect', 'server namespace disconnect');
  }
}

/**
 * @param {object} io a served server
 * @param {() => object} connect makes a client of it
 * @returns {Promise<{client: object, socket: object}>} both sides of a client that has authenticated as `ada`, and
 *   has received an event
 */
async function authenticated(io, connect) {
  const client = connect();
  const socket = await socketOf(io, client);
  await authenticate(client, { user: 'ada' });
  await flush(socket, client);
  return { client, socket };
}

module.exports = {
  VERSIONS,
  FakeServer,
  FakeSocket,
  HOSTS,
  authenticate,
  authenticated,
  call,
  comeBack,
  flush,
  heard,
  lose,
  newInstance,
  next,
  openServer,
  socketOf,
};
