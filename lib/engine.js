'use strict';

/**
 * `io.engine`: what is above a single connection. Emits `connection`, `connection_error`,
 * `initial_headers` and `headers`.
 */

const { EventEmitter } = require('events');
const { UnsupportedApiError } = require('./errors');
const { refuse } = require('./unsupported');

class Engine extends EventEmitter {
  #count;
  #end;

  /**
   * @param {() => number} count how many connections there are
   * @param {() => void} end ends them all
   */
  constructor(count, end) {
    super();
    this.#count = count;
    this.#end = end;
    /** The options in force. */
    this.opts = {};
    /** @type {Function[]} what `use` added */
    this.middlewares = [];
  }

  /** @returns {number} how many connections there are */
  get clientsCount() {
    return this.#count();
  }

  /**
   * Adds middleware, `(req, res, next)` as Express has it, for every request of clients; for an
   * upgrade to websocket `res` only takes headers.
   *
   * @param {(req: object, res: object, next: (error?: unknown) => void) => unknown} middleware it
   * @returns {void}
   */
  use(middleware) {
    this.middlewares.push(middleware);
  }

  /**
   * Session ids are made in Rust.
   *
   * @throws {UnsupportedApiError} always
   */
  set generateId(value) {
    throw new UnsupportedApiError('engine.generateId', 'socket.data for ids of your own');
  }

  /**
   * Ends every connection.
   *
   * @returns {this} itself
   */
  close() {
    this.#end();
    return this;
  }
}

const ATTACH = 'io.attach(httpServer)';
refuse(Engine.prototype, {
  attach: ATTACH,
  handleRequest: ATTACH,
  handleUpgrade: ATTACH,
  onWebTransportSession: 'websockets',
  upgrades: 'the option `allowUpgrades`',
});

module.exports = { Engine };
