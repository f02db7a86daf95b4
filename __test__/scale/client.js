'use strict';

/**
 * A real `socket.io-client` of one node, which keeps what it receives.
 */

const { EventEmitter, once } = require('node:events');

const PACKAGES = { 2: 'socket.io-client-2', 4: 'socket.io-client' };

/** Milliseconds that a client waits for an event. */
const TIMEOUT = 10_000;

class Client {
  /** @type {unknown[][]} events that no `until` has taken, with their arguments */
  received = [];
  #changes = new EventEmitter().setMaxListeners(0);
  #isEnded = false;
  #nodeSaw;

  /**
   * @param {import('./cluster').Node} node
   * @param {object} [options] of the package
   * @param {2 | 4} [options.version] of the package
   * @param {string} [options.namespace]
   * @param {Client} [options.beside] whose connection it shares
   */
  constructor(node, { version = 4, namespace = '/', beside, ...options } = {}) {
    this.node = node;
    this.namespace = namespace;
    this.version = version;
    this.socket =
      beside?.socket.io.socket(namespace) ??
      require(PACKAGES[version])(`http://127.0.0.1:${node.port}${namespace}`, {
        forceNew: true,
        reconnection: false,
        transports: ['websocket'],
        ...options,
      });
    const { onevent } = this.socket;
    this.socket.onevent = (packet) => {
      this.received.push(packet.data);
      this.#changes.emit('change');
      onevent.call(this.socket, packet);
    };
    this.#nodeSaw = new Promise((resolve) => {
      const see = (where, id) => {
        if (where !== namespace || id !== this.id) return;
        node.off('disconnect', see);
        resolve();
      };
      node.on('disconnect', see);
    });
    this.socket.on('disconnect', (reason) => {
      this.disconnected = reason;
      this.#changes.emit('change');
    });
  }

  /** @returns {Promise<void>} when it has joined its namespace */
  async connected() {
    await new Promise((resolve, reject) => {
      this.socket.once('connect', resolve);
      this.socket.once('connect_error', reject);
      this.socket.once('error', reject);
    });
    this.id = this.socket.id;
  }

  /**
   * @param {string} event
   * @returns {Promise<unknown[][]>} what it received before that event; it is taken, too
   */
  async until(event) {
    const signal = AbortSignal.timeout(TIMEOUT);
    for (;;) {
      if (this.#isEnded) throw new Error(`A client of ${this.node.name} was ended meanwhile`);
      const at = this.received.findIndex(([name]) => name === event);
      if (at !== -1) {
        const taken = this.received.splice(0, at + 1);
        this.last = taken.pop();
        return taken;
      }
      try {
        await once(this.#changes, 'change', { signal });
      } catch {
        const events = this.received.map(([name]) => name).join(', ');
        throw new Error(
          `A client of ${this.node.name} did not receive '${event}', but: ${events || 'nothing'}`,
        );
      }
    }
  }

  /**
   * @param {string} event
   * @returns {Promise<unknown[]>} its arguments, once it is received
   */
  async next(event) {
    await this.until(event);
    return this.last.slice(1);
  }

  /** @returns {Promise<string>} why it was disconnected */
  async untilDisconnected() {
    const signal = AbortSignal.timeout(TIMEOUT);
    while (this.disconnected === undefined) {
      try {
        await once(this.#changes, 'change', { signal });
      } catch {
        throw new Error(`A client of ${this.node.name} was not disconnected`);
      }
      if (this.#isEnded) throw new Error(`A client of ${this.node.name} was ended meanwhile`);
    }
    return this.disconnected;
  }

  /**
   * Answers questions of servers.
   *
   * @param {string} event
   * @param {(...args: unknown[]) => unknown} answer
   * @returns {this}
   */
  answers(event, answer) {
    this.socket.on(event, (...args) => {
      const acknowledge = args.pop();
      acknowledge(answer(...args));
    });
    return this;
  }

  /**
   * @param {string} event
   * @param {...unknown} args
   * @returns {Promise<unknown[]>} what its server acknowledges it with
   */
  ask(event, ...args) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`'${event}' was not answered`)), TIMEOUT);
      this.socket.emit(event, ...args, (...answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
    });
  }

  /**
   * @param {object} [credentials]
   * @returns {Promise<void>} when it is authenticated
   */
  async authenticate(credentials = { token: 'valid' }) {
    this.socket.emit('authentication', credentials);
    await this.until('authenticated');
  }

  /**
   * Has its socket join rooms on its node, and waits until the adapter's subscriptions are in place.
   *
   * @param {...string} rooms
   * @returns {Promise<void>}
   */
  async join(...rooms) {
    await this.node.socket(this).join(rooms);
    await this.node.call('settle');
  }

  /**
   * @param {...string} rooms
   * @returns {Promise<void>} when its socket is in these rooms and in no other but its own
   */
  async untilRooms(...rooms) {
    await this.node.call('untilRooms', this.namespace, this.id, rooms);
    await this.node.call('settle');
  }

  /** @returns {Promise<void>} when it is closed and its node knows that */
  async close() {
    const wasConnected = this.id !== undefined;
    this.end();
    if (wasConnected) await Promise.race([this.#nodeSaw, this.node.ended]);
  }

  /** Ends its connection. */
  end() {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#changes.emit('change');
    this.socket.disconnect();
    (this.socket.io.engine ?? this.socket.io).close();
  }
}

module.exports = { Client };
