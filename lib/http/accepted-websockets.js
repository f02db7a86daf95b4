'use strict';

/**
 * The websockets that Rust has taken over from Node's servers. Node forgets such a socket, but its server
 * goes on counting it until it is closed: `getConnections()`, `maxConnections` and `close()` are as they
 * are with sockets of Node's own.
 *
 * What must stay true: each websocket that is counted is uncounted once, when its descriptor is closed.
 */

const net = require('net');
const { MAX_DELAY } = require('../check-options');

/** No websocket has this number. */
const NO_OWNER = 0;

class AcceptedWebsockets {
  /** How many are open. */
  size = 0;
  #last = NO_OWNER;
  /** @type {NodeJS.Timeout | undefined} keeps the process alive */
  #alive;
  /** @type {Map<net.Server | undefined, number>} those whose end concerns only the server */
  #numbers = new Map();
  /** @type {Map<number, {owner: net.Server | undefined, closed?: () => void}>} by number */
  #owners = new Map();

  /**
   * @param {net.Socket} socket a socket that is to be taken over
   * @param {() => void} [closed] called when it is closed
   * @returns {number} the number to hand it over with
   */
  numberOf(socket, closed) {
    return this.numberOn(ownerOf(socket), closed);
  }

  /**
   * @param {net.Server | undefined} owner what has accepted a socket, if that counts it
   * @param {() => void} [closed] called when the socket is closed
   * @returns {number} the number to hand it over with
   */
  numberOn(owner, closed) {
    const known = closed === undefined ? this.#numbers.get(owner) : undefined;
    if (known !== undefined) {
      return known;
    }
    this.#last += 1;
    this.#owners.set(this.#last, { owner, closed });
    if (closed === undefined) {
      this.#numbers.set(owner, this.#last);
    }
    return this.#last;
  }

  /**
   * @param {number} number a number from `numberOf`
   * @returns {net.Server | undefined} the server that has accepted the socket
   */
  serverOf(number) {
    return this.#owners.get(number)?.owner;
  }

  /**
   * A socket is not taken over.
   *
   * @param {number} number the number it was to be handed over with
   * @returns {void}
   */
  forget(number) {
    if (this.#owners.get(number)?.closed !== undefined) {
      this.#owners.delete(number);
    }
  }

  /**
   * A socket has been taken over: Node's half of it can be destroyed, and is not uncounted then.
   *
   * @param {net.Socket} socket the socket
   * @returns {void}
   */
  begin(socket) {
    this.size += 1;
    // A socket of Node's would keep the process alive, too.
    this.#alive ??= setInterval(() => {}, MAX_DELAY);
    if (ownerOf(socket) !== undefined) {
      socket._server = null;
    }
  }

  /**
   * A connection has been taken over before Node made a socket of it.
   *
   * @param {net.Server} server what has accepted it
   * @returns {void}
   */
  beginOn(server) {
    this.size += 1;
    server._connections += 1;
  }

  /**
   * A websocket is closed.
   *
   * @param {number} number the number it was handed over with
   * @returns {void}
   */
  closed(number) {
    this.size -= 1;
    if (this.size === 0) {
      clearInterval(this.#alive);
      this.#alive = undefined;
    }
    const { owner, closed } = this.#owners.get(number);
    if (closed !== undefined) {
      this.#owners.delete(number);
    }
    try {
      closed?.();
    } finally {
      if (owner !== undefined) {
        owner._connections -= 1;
        owner._emitCloseIfDrained();
      }
    }
  }
}

/**
 * @param {net.Socket} socket a socket of Node's
 * @returns {net.Server | undefined} the server that counts it, if it does so as Node 20 to 26 do
 */
function ownerOf({ _server: owner }) {
  return counts(owner) ? owner : undefined;
}

/**
 * @param {unknown} server any value
 * @returns {boolean} whether it is a server that counts its connections as Node 20 to 26 do
 */
function counts(server) {
  return (
    server instanceof net.Server &&
    typeof server._connections === 'number' &&
    typeof server._emitCloseIfDrained === 'function'
  );
}

module.exports = { AcceptedWebsockets, counts };
