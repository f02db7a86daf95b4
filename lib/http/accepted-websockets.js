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
    const owner = ownerOf(socket);
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
  const counts =
    owner instanceof net.Server &&
    typeof owner._connections === 'number' &&
    typeof owner._emitCloseIfDrained === 'function';
  return counts ? owner : undefined;
}

module.exports = { AcceptedWebsockets };
