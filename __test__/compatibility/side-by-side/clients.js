'use strict';

/**
 * The two official clients, each wrapped so that everything its socket receives becomes a line of
 * a log. Nothing is left to listeners: an event nobody expects shows in the record all the same.
 *
 * Where the clients are documented to differ, and how the records are made equal:
 * - `disconnect` comes with details beside the reason in 4.8: only the reason is kept;
 * - the id of a socket is the connection's in 2.5 and its own in 4.8: ids are not recorded;
 * - 2.5 sends a typed array that is not a Buffer as an object unless a Buffer or ArrayBuffer is
 *   beside it: scenarios send Buffers and ArrayBuffers.
 */

const MANAGERS = {
  2.5: () => require('socket.io-client-2').Manager,
  4.8: () => require('socket.io-client').Manager,
};

/**
 * @param {string} client `2.5` or `4.8`
 * @param {string} transport `websocket` or `polling`
 * @param {number} port
 * @returns {any} a Manager, one connection to the server
 */
function createManager(client, transport, port) {
  const Manager = MANAGERS[client]();
  return new Manager(`http://127.0.0.1:${port}`, {
    transports: [transport],
    reconnection: false,
    autoConnect: false,
    upgrade: false,
  });
}

/** One client socket of one namespace, with its log. */
class Peer {
  /**
   * @param {any} manager
   * @param {string} namespace
   * @param {import('./record').Log} log
   */
  constructor(manager, namespace, log) {
    this.manager = manager;
    this.log = log;
    this.socket = manager.socket(namespace);
    this.socket.onevent = (packet) => this.received(packet);
    this.socket.on('disconnect', (reason) => log.add('disconnect', [reason]));
    for (const failure of ['error', 'connect_error']) {
      this.socket.on(failure, (error) => log.add(failure, [String(error?.message ?? error)]));
    }
  }

  /** @returns {Promise<void>} when the namespace has let the socket in */
  async connect() {
    await new Promise((resolve, reject) => {
      this.socket.once('connect', resolve);
      this.socket.once('connect_error', (error) => reject(new Error(`cannot connect: ${error}`)));
      this.socket.open();
    });
  }

  received(packet) {
    const [name, ...values] = packet.data;
    const acknowledge = packet.id == null ? undefined : this.socket.ack(packet.id);
    if (name === 'barrier' && acknowledge) return void acknowledge();
    this.log.add(name, values, { values, acknowledge }, acknowledge ? ' asks to acknowledge' : '');
  }

  /**
   * @param {string} name
   * @param {...any} values
   */
  emit(name, ...values) {
    this.socket.emit(name, ...values);
  }

  /**
   * Emits with an acknowledgement, which becomes the line `answer to <name>`.
   *
   * @param {string} name
   * @param {...any} values
   * @returns {Promise<any>} what the server acknowledged with
   */
  call(name, ...values) {
    return new Promise((resolve) => {
      this.socket.emit(name, ...values, (...answer) => {
        this.log.add(`answer to ${name}`, answer);
        resolve(answer[0]);
      });
    });
  }

  /** @returns {Promise<any>} the next event (or `disconnect`) of that name */
  until(name) {
    return this.log.until(name);
  }

  /** @returns {Promise<void>} once the server has answered: all that was sent before has arrived */
  barrier() {
    return new Promise((resolve) => {
      this.socket.emit('barrier', () => resolve());
    });
  }

  /**
   * @param {any} [credentials]
   * @returns {Promise<any>} when the server has said `authenticated`
   */
  async authenticate(credentials = { token: 'valid' }) {
    this.emit('authentication', credentials);
    return this.until('authenticated');
  }

  /**
   * @param {any} [credentials]
   * @returns {Promise<() => void>} acknowledges the refusal
   */
  async beRefused(credentials = { token: 'invalid' }) {
    this.emit('authentication', credentials);
    const { acknowledge } = await this.until('unauthorized');
    return acknowledge;
  }

  close() {
    this.manager.engine?.close();
  }
}

module.exports = { createManager, Peer };
