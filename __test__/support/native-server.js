'use strict';

/**
 * A native server for one test, and clients of every kind for it. Whatever a test opened is closed
 * when it ends, and closing the server must then come to an end too: a test that leaves something
 * of ours behind fails by its timeout.
 */

const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const LoopbackSocket = require('../..');
const { RawPolling, RawTcp, RawWebsocket } = require('./raw');
const { reach } = require('./waiting');

const CLIENTS = {
  1.7: 'socket.io-client-1',
  2.5: 'socket.io-client-2',
  3.1: 'socket.io-client-3',
  4.8: 'socket.io-client',
};

/** Long enough for a busy machine; nothing waits this long unless a promise is broken. */
const TIMEOUT = { timeout: 20_000 };

/** One native server with its clients. */
class World {
  #clients = [];

  /**
   * @param {object} [options] of the server
   * @param {http.Server} [httpServer] a server of the test's own
   */
  constructor(options, httpServer = http.createServer()) {
    this.httpServer = httpServer;
    this.io = new LoopbackSocket.Server(httpServer, options);
  }

  /** @returns {Promise<void>} when clients can connect */
  async listen() {
    this.httpServer.listen(0, '127.0.0.1');
    await once(this.httpServer, 'listening');
    this.port = this.httpServer.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
  }

  /**
   * An official client, not yet connected perhaps.
   * @param {string} version `1.7`, `2.5`, `3.1` or `4.8`
   * @param {object} [options] of the client; `nsp` is the namespace
   * @returns {any} its socket
   */
  client(version, { nsp = '', ...options } = {}) {
    const connect = require(CLIENTS[version]);
    const client = connect(this.url + nsp, {
      forceNew: true,
      reconnection: false,
      transports: ['websocket'],
      ...options,
    });
    this.#clients.push(() => (client.io.engine ?? client.io).close());
    return client;
  }

  /**
   * A connected official client and the server's socket for it.
   * @param {string} [version]
   * @param {object} [options]
   * @returns {Promise<{client: any, socket: any}>}
   */
  async connect(version = '4.8', options = {}) {
    const connected = once(this.io.of(options.nsp ?? '/'), 'connection');
    const client = this.client(version, options);
    const [[socket]] = await Promise.all([connected, happens(client, 'connect')]);
    return { client, socket };
  }

  /**
   * A client that speaks frames, in the default namespace unless `join` is false.
   * @param {object} [options] see `RawWebsocket`; `join`
   * @returns {Promise<RawWebsocket>} with `socket`, the server's socket, if it joined
   */
  async raw({ join = true, ...options } = {}) {
    const connected = join ? once(this.io, 'connection') : [undefined];
    const raw = new RawWebsocket(this.port, options);
    this.#clients.push(() => raw.terminate());
    await raw.opened();
    if (join) await raw.join();
    [raw.socket] = await connected;
    return raw;
  }

  /**
   * A client that speaks requests of long polling, as `raw`.
   * @param {object} [options] see `RawPolling`; `join`
   * @returns {Promise<RawPolling>}
   */
  async polling({ join = true, ...options } = {}) {
    const connected = join ? once(this.io, 'connection') : [undefined];
    const raw = new RawPolling(this.port, options);
    this.#clients.push(() => raw.terminate());
    await raw.opened();
    if (join) await raw.join();
    [raw.socket] = await connected;
    return raw;
  }

  /**
   * A client that speaks bytes.
   * @returns {Promise<RawTcp>} connected
   */
  async tcp() {
    const raw = new RawTcp(this.port);
    this.#clients.push(() => raw.terminate());
    await raw.opened();
    return raw;
  }

  /**
   * Whether a client can still connect, call and be answered.
   * @returns {Promise<string>} what the server answered
   */
  async isAlive() {
    const raw = await this.raw();
    raw.socket.on('are you there', (acknowledge) => acknowledge('yes'));
    const answer = await raw.call('are you there');
    raw.terminate();
    return answer[0];
  }

  /** @returns {Promise<void>} when everything has ended */
  async close() {
    this.#clients.forEach((close) => close());
    await this.io.close();
  }
}

/**
 * Runs a test with a server.
 * @param {object} options of the server, `httpServer` for one of the test's own
 * @param {(world: World) => Promise<void>} test
 * @returns {() => Promise<void>} for `it`
 */
function served(options, test) {
  return within(() => {
    const { httpServer, ...rest } = typeof options === 'function' ? options() : options;
    return new World(rest, httpServer);
  }, test);
}

/**
 * Runs a test with a server that listens, and closes what the test opened.
 *
 * @template {{listen: () => Promise<any>, close: () => any}} W
 * @param {() => W} create makes the server and what belongs to it
 * @param {(world: W, t: import('node:test').TestContext) => Promise<void>} test
 * @returns {(t: import('node:test').TestContext) => Promise<void>} for `it`
 */
function within(create, test) {
  return async (t) => {
    const world = create();
    await world.listen();
    // A test that takes too long is over, and so is what it opened.
    t.signal.addEventListener('abort', () => world.close());
    try {
      await test(world, t);
    } finally {
      await world.close();
    }
  };
}

/**
 * An event of an emitter of any version; unlike `once`, an `error` or `connect_error` rejects by
 * what it carries.
 * @param {any} emitter
 * @param {string} event
 * @returns {Promise<any[]>} what it came with
 */
function happens(emitter, event) {
  return new Promise((resolve, reject) => {
    emitter.once(event, (...args) => resolve(args));
    if (event === 'connect') {
      emitter.once('connect_error', (error) => reject(new Error(`connect_error: ${error}`)));
    }
  });
}

/**
 * @param {any} client an official client that began with polling
 * @returns {Promise<void>} when it is on a websocket
 */
async function upgraded(client) {
  const { engine } = client.io;
  if (engine.transport.name !== 'websocket') await happens(engine, 'upgrade');
}

/**
 * Emits with an acknowledgement.
 * @param {any} emitter a client or a socket
 * @param {...any} args
 * @returns {Promise<any[]>} what it was acknowledged with
 */
function call(emitter, ...args) {
  return new Promise((resolve) => emitter.emit(...args, (...answer) => resolve(answer)));
}

/**
 * The file descriptors of this process, or of another.
 * @param {number | string} [pid]
 * @returns {number}
 */
function openFiles(pid = 'self') {
  return fs.readdirSync(`/proc/${pid}/fd`).length;
}

/**
 * A new LoopbackSocket that accepts the token `valid`.
 * @param {any} timeout
 * @returns {any}
 */
function loopbackSocket(timeout = 'none') {
  const instance = new LoopbackSocket(`native test ${path.basename(__filename)}`, timeout);
  instance.auth((socket, credentials) => credentials?.token === 'valid');
  return instance;
}

/**
 * What an event of the process brings during a test; node's own watch over it is off for as long.
 * @param {'uncaughtException' | 'unhandledRejection' | 'warning'} event
 * @param {() => Promise<void>} during
 * @returns {Promise<unknown[]>} the errors
 */
async function reaching(event, during) {
  const others = process.listeners(event);
  const errors = [];
  process.removeAllListeners(event);
  process.on(event, (error) => errors.push(error));
  try {
    await during();
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.removeAllListeners(event);
    others.forEach((listener) => process.on(event, listener));
  }
  return errors;
}

/**
 * Errors that listeners of the application threw during a test.
 * @param {() => Promise<void>} during
 * @returns {Promise<unknown[]>} what reached the process
 */
const uncaught = (during) => reaching('uncaughtException', during);

/**
 * Rejections that nobody handled during a test.
 * @param {() => Promise<void>} during
 * @returns {Promise<unknown[]>} what reached the process
 */
const unhandled = (during) => reaching('unhandledRejection', during);

/**
 * Warnings of the process during a test.
 * @param {() => Promise<void>} during
 * @returns {Promise<Error[]>} the warnings
 */
const warnings = (during) => reaching('warning', during);

/**
 * The end of a socket; unlike `once`, an `error` before it does not reject.
 * @param {object} socket - of the native server
 * @returns {Promise<unknown[]>} its reason, and details
 */
function ending(socket) {
  return new Promise((resolve) => socket.once('disconnect', (...args) => resolve(args)));
}

module.exports = {
  CLIENTS: Object.keys(CLIENTS),
  TIMEOUT,
  World,
  call,
  ending,
  happens,
  loopbackSocket,
  openFiles,
  reach,
  served,
  uncaught,
  unhandled,
  upgraded,
  warnings,
  within,
};
