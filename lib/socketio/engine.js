'use strict';

/**
 * `io.engine`: what is above a single connection. Emits `connection`, `connection_error`,
 * `initial_headers` and `headers`.
 */

const { randomBytes } = require('crypto');
const { EventEmitter } = require('events');
const { makeAssignable } = require('./assignable');
const { InvalidSessionIdError } = require('../errors');
const { isSessionId } = require('../native/binding');
const { refuse } = require('./unsupported');

/** How many random bytes an id has: 20 characters, which `@socket.io/sticky` and adapters count on. */
const RANDOM_BYTES = 15;

class Engine extends EventEmitter {
  #count;
  #end;
  /** @type {(() => void) | undefined} called when requests are to be served in another way */
  #changed;
  /** Whether the application makes the ids of sessions. */
  #hasOwnIds = false;

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

  /**
   * @param {Engine} engine an engine
   * @param {(() => void) | undefined} changed called when its requests are to be served in another way
   * @returns {void}
   */
  static watch(engine, changed) {
    engine.#changed = changed;
  }

  /**
   * @param {Engine} engine an engine
   * @returns {boolean} whether the application makes the ids of its sessions
   */
  static hasOwnIds(engine) {
    return engine.#hasOwnIds;
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
    this.#changed?.();
  }

  /**
   * Makes the id of a session. An application may put a function of its own in the place of this one.
   *
   * @param {import('http').IncomingMessage} request the request that opens the session
   * @returns {string | Promise<string>} 20 random characters of base64url, as npm `base64id` makes them
   */
  get generateId() {
    return randomId;
  }

  set generateId(own) {
    Object.defineProperty(this, 'generateId', { value: own, writable: true, configurable: true });
    this.#hasOwnIds = true;
    this.#changed?.();
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

/**
 * @returns {string} 20 random characters of base64url, as npm `base64id` makes them
 */
function randomId() {
  return randomBytes(RANDOM_BYTES).toString('base64url');
}

/**
 * The id of the session that a request opens.
 *
 * @param {Engine} engine whose
 * @param {import('http').IncomingMessage} request the request
 * @param {(error: unknown, id?: string) => void} then called with the id, or with why there is none: at
 *   once, unless the application takes its time
 * @returns {void}
 */
function identify(engine, request, then) {
  let generated;
  try {
    generated = engine.generateId(request);
  } catch (error) {
    then(error);
    return;
  }
  const check = (id) => {
    const isValid = typeof id === 'string' && isSessionId(id);
    then(isValid ? undefined : new InvalidSessionIdError(id), id);
  };
  if (typeof generated?.then === 'function') {
    Promise.resolve(generated).then(check, (error) => then(error));
  } else {
    check(generated);
  }
}

/**
 * @param {Record<string, string>} query a request's query
 * @returns {3 | 4} the version of Engine.IO: 3 unless it says 4
 */
function protocolOf(query) {
  return query.EIO === '4' ? 4 : 3;
}

/**
 * @param {Engine} engine an engine
 * @returns {boolean} whether the application listens for connections, and so may watch the packets of
 *   each from the first one on
 */
function hasConnectionListeners(engine) {
  return engine.listenerCount('connection') > 0;
}

makeAssignable(Engine.prototype, ['clientsCount']);

const ATTACH = 'io.attach(httpServer)';
refuse(Engine.prototype, {
  attach: ATTACH,
  handleRequest: ATTACH,
  handleUpgrade: ATTACH,
  onWebTransportSession: 'websockets',
  upgrades: 'the option `allowUpgrades`',
});

module.exports = { Engine, hasConnectionListeners, identify, protocolOf };
