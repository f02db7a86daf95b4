'use strict';

/**
 * The drain of a server that is to close: each connection is ended as soon as nothing of it is in flight, so
 * that what was accepted is answered.
 */

const { guarded } = require('../events');

/**
 * How often connections are looked at, in ms. So nothing has to be done when a call ends, which happens far
 * more often. It is also how long the calls have that were sent before the drain and not read yet.
 */
const INTERVAL = 20;

/**
 * How many ms calls may begin that clients send during a drain, and how much of it that is at most. Later they
 * are left alone: a client that always has calls in flight would never be idle.
 */
const ACCEPT_TIME = 1000;
const ACCEPT_SHARE = 0.5;

class Drain {
  /** @type {Promise<void>} resolved when no connection is left, the time is up, or the drain was stopped */
  ended;
  #server;
  #timer;
  #resolve;
  /** From when on no call begins. */
  #acceptsUntil;
  /** @type {Set<import('./connection').Connection>} those that end once their clients have what was sent */
  #ending = new Set();

  /**
   * @param {object} server the server
   * @param {import('../native/link').NativeLink} server.link the native server
   * @param {Map<number, import('./connection').Connection>} server.connections its connections
   * @param {() => void} server.unused called when no client polls any more: none needs a new connection
   * @param {number} ms how long it may take
   */
  constructor(server, ms) {
    this.#server = server;
    const now = performance.now();
    this.endsAt = now + ms;
    this.#acceptsUntil = now + Math.min(ACCEPT_TIME, ms * ACCEPT_SHARE);
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#timer = setInterval(() => this.#look(), Math.min(INTERVAL, ms));
    this.#release();
  }

  /**
   * @param {number} ms how long it may take from now on; it takes no longer than it was to take before
   * @returns {void}
   */
  limit(ms) {
    this.endsAt = Math.min(this.endsAt, performance.now() + ms);
  }

  /**
   * Waits for nothing any more.
   *
   * @returns {void}
   */
  stop() {
    clearInterval(this.#timer);
    this.#resolve();
  }

  /**
   * Ends the connections that are idle.
   *
   * @returns {void}
   */
  #look() {
    const { connections } = this.#server;
    const isLate = performance.now() >= this.#acceptsUntil;
    for (const connection of [...connections.values()]) {
      if (this.#ending.has(connection)) {
        continue;
      }
      if (isIdle(connection)) {
        this.#end(connection);
      } else if (isLate) {
        for (const socket of connection.sockets) {
          socket._beginsNothing = true;
        }
      }
    }
    this.#release();
    if (connections.size === 0 || performance.now() >= this.endsAt) {
      this.stop();
    }
  }

  /**
   * @param {import('./connection').Connection} connection a connection to end, when its client has got what
   *   was sent
   * @returns {void}
   */
  #end(connection) {
    this.#ending.add(connection);
    for (const socket of connection.sockets) {
      guarded(() => socket._end('server shutting down'));
    }
    connection.requestClose();
  }

  /**
   * Tells the server when no client polls any more. One that does may open a connection for each request.
   *
   * @returns {void}
   */
  #release() {
    for (const { transport } of this.#server.connections.values()) {
      if (transport === 'polling') {
        return;
      }
    }
    this.#server.unused();
  }
}

/**
 * @param {import('./connection').Connection} connection a connection
 * @returns {boolean} whether no call and no attempt to authenticate is in flight on it
 */
function isIdle(connection) {
  return connection.sockets.every((socket) => socket._inFlight === 0);
}

module.exports = { Drain };
