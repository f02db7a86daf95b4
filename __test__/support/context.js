'use strict';

// A server of either kind with its clients, for one probe.

const { once } = require('node:events');
const { io: connectTo } = require('socket.io-client');

/** What each probe may wait for altogether, in ms. */
const TIMEOUT_MS = 10_000;

/**
 * @typedef {object} Peer
 * @property {import('socket.io-client').Socket} client
 * @property {import('socket.io').Socket} socket - the same on the server
 * @property {unknown[][]} log - the events that the client got
 */

class Context {
  #clients = [];

  /**
   * @param {typeof import('socket.io').Server} Server
   * @param {import('socket.io').Server} io - one of these on a port
   */
  constructor(Server, io) {
    this.Server = Server;
    this.io = io;
  }

  /** @returns {string} where clients connect */
  get url() {
    return `http://localhost:${this.io.httpServer.address().port}`;
  }

  /**
   * A client that may be refused.
   * @param {string} [nsp]
   * @param {object} [options] - of the client
   * @returns {import('socket.io-client').Socket}
   */
  client(nsp = '/', options = {}) {
    const client = connectTo(this.url + nsp, {
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
      ...options,
    });
    this.#clients.push(client);
    return client;
  }

  /**
   * A client that is connected, and answers `ask`.
   * @param {string} [nsp] - made if there is none
   * @param {object} [options] - of the client; `isNew` leaves it to the server to make the namespace
   * @returns {Promise<Peer>}
   */
  async connect(nsp = '/', options = {}) {
    if (options.isNew !== true) {
      this.io.of(nsp);
    }
    const client = this.client(nsp, options);
    const log = [];
    client.onAny((...event) => log.push(event.filter((arg) => typeof arg !== 'function')));
    client.on('ask', (what, acknowledge) => acknowledge(`${what}!`));
    await received(client, 'connect');
    return { client, socket: this.io.of(nsp).sockets.get(client.id), log };
  }

  /**
   * Three clients: one in the room `a`, one in `b`, one in both; all in `all`.
   * @param {string} [nsp]
   * @returns {Promise<Peer[]>}
   */
  async three(nsp) {
    const peers = [await this.connect(nsp), await this.connect(nsp), await this.connect(nsp)];
    peers.forEach(({ socket }) => socket.join('all'));
    peers[0].socket.join('a');
    peers[1].socket.join('b');
    peers[2].socket.join(['a', 'b']);
    return peers;
  }

  /**
   * Ends the server and its clients.
   * @returns {Promise<void>}
   */
  async close() {
    this.#clients.forEach((client) => client.disconnect());
    await this.io.close();
  }
}

/**
 * What clients got, up to now.
 * @param {...Peer} peers
 * @returns {Promise<unknown[][][]>} the events of each
 */
async function heard(...peers) {
  await Promise.all(
    peers.map(({ socket }) => socket.timeout(TIMEOUT_MS).emitWithAck('ask', 'end')),
  );
  return peers.map(({ log }) => log.filter(([event, what]) => event !== 'ask' || what !== 'end'));
}

/**
 * The next event of a client.
 * @param {import('socket.io-client').Socket} client
 * @param {string} event
 * @returns {Promise<unknown[]>} its arguments
 */
function received(client, event) {
  return new Promise((resolve) => client.once(event, (...args) => resolve(args)));
}

/**
 * Runs a probe on a server of its own.
 * @param {typeof import('socket.io').Server} Server
 * @param {(context: Context) => unknown} probe
 * @param {object} [options] - of the server
 * @returns {Promise<unknown>} what the probe gives
 */
async function run(Server, probe, options) {
  const io = new Server(0, options);
  if (!io.httpServer.listening) {
    await once(io.httpServer, 'listening');
  }
  const context = new Context(Server, io);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const expired = once(signal, 'abort').then(() => {
    throw new Error('the probe did not end');
  });
  try {
    return await Promise.race([probe(context), expired]);
  } finally {
    await context.close();
  }
}

module.exports = { heard, received, run };
