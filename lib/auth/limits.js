'use strict';

/**
 * How often a client may try to authenticate, and how many sockets of one address may be pending. For
 * both kinds of server; one object for each call of `start()`.
 *
 * What must stay true: a pending socket is counted once, until it has authenticated or ended.
 */

const net = require('net');
const { ErrorKind, reportError } = require('../calls/handler-errors');
const { warnOf } = require('../events');

class AuthenticationLimits {
  #maxAttempts;
  #maxPending;
  #addressOf;
  #definitions;
  #hasWarned = false;
  /** The address that was looked at last, and what is counted for it: many sockets come from one proxy. */
  #lastAddress;
  #lastKey;
  /** @type {Map<string, number>} pending sockets by address; an address without any is not in it */
  #pending = new Map();

  /**
   * @param {import('./start-options').StartOptions} options complete
   * @param {import('../calls/definitions').Definitions} definitions those of the instance that is started
   */
  constructor(
    { maxAuthenticationAttempts, maxPendingPerAddress, maxSubscriptions, clientAddress },
    definitions,
  ) {
    /** How many subscriptions a socket may have. */
    this.maxSubscriptions = maxSubscriptions;
    this.#maxAttempts = maxAuthenticationAttempts;
    this.#maxPending = maxPendingPerAddress;
    this.#addressOf = clientAddress;
    this.#definitions = definitions;
  }

  /**
   * Counts a socket that has connected and is pending.
   *
   * @param {object} socket the socket
   * @param {string | undefined} address where its connection comes from
   * @returns {(() => void) | undefined} to be called when it is pending no more; `undefined` if there
   *   are too many of its address
   */
  enter(socket, address) {
    if (this.#maxPending === Infinity) {
      return ignore;
    }
    const key = this.#keyOf(this.#addressOf === undefined ? address : this.#ask(socket, address));
    if (key === undefined) {
      return ignore;
    }
    const count = this.#pending.get(key) ?? 0;
    if (count >= this.#maxPending) {
      return undefined;
    }
    this.#pending.set(key, count + 1);
    let isCounted = true;
    return () => {
      if (isCounted) {
        isCounted = false;
        this.#leave(key);
      }
    };
  }

  /**
   * Asks the application for the address of a client. If that fails, for a header that a client has left out, for
   * example, or gives something else, the socket counts for the address of its connection: the limit applies to all
   * sockets but those that the application excepts.
   *
   * @param {object} socket the socket
   * @param {string | undefined} address where its connection comes from
   * @returns {string | undefined} the address of its client
   */
  #ask(socket, address) {
    try {
      const given = this.#addressOf(socket);
      if (given === undefined || (typeof given === 'string' && given !== '')) {
        return given;
      }
      if (typeof given?.then === 'function') {
        // Nobody else handles a rejection; also of thenables that are no promises of JavaScript.
        Promise.resolve(given).catch(ignore);
        throw new TypeError('clientAddress must return the address itself, not a promise');
      }
      throw new TypeError(
        'clientAddress must return an address, a string that is not empty, or undefined',
      );
    } catch (error) {
      this.#report(error, socket);
      return address;
    }
  }

  /**
   * @param {unknown} error what `clientAddress` threw, or what is wrong with what it returned
   * @param {object} socket the socket that it was asked for
   * @returns {void}
   */
  #report(error, socket) {
    // No client is told, unlike of errors of other handlers. Once: clients may cause it as often as they like.
    if (!this.#hasWarned && this.#definitions.errorListeners.length === 0) {
      this.#hasWarned = true;
      warnOf(error);
    }
    reportError(this.#definitions, error, ErrorKind.CLIENT_ADDRESS, socket);
  }

  /**
   * @param {string | undefined} address an address
   * @returns {string | undefined} what is counted for it
   */
  #keyOf(address) {
    if (address !== this.#lastAddress) {
      this.#lastKey = networkOf(address);
      this.#lastAddress = address;
    }
    return this.#lastKey;
  }

  /**
   * @param {string} key an address
   * @returns {void}
   */
  #leave(key) {
    const count = this.#pending.get(key) - 1;
    if (count > 0) {
      this.#pending.set(key, count);
    } else {
      this.#pending.delete(key);
    }
  }

  /**
   * @param {number} attempts how many of a socket have failed or are under way
   * @returns {boolean} whether that is too many
   */
  isExceededBy(attempts) {
    return attempts > this.#maxAttempts;
  }
}

/**
 * What is counted for an address: of IPv6 the network of 64 bits, all of which one client has.
 *
 * @param {unknown} address an address
 * @returns {string | undefined} the address or its network; `undefined` if it is none
 */
function networkOf(address) {
  if (typeof address !== 'string' || address === '') {
    return undefined;
  }
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped !== null) {
    return mapped[1];
  }
  if (!address.includes(':') || !net.isIPv6(address)) {
    return address;
  }
  const [head, tail = ''] = address.replace(/%.*$/, '').toLowerCase().split('::');
  const groups = (text) => (text === '' ? [] : text.split(':'));
  const [first, last] = [groups(head), groups(tail)];
  // An address of version 4 at its end stands for two groups.
  const known = first.length + last.length + (tail.includes('.') ? 1 : 0);
  const zeros = address.includes('::') ? new Array(8 - known).fill('0') : [];
  const network = [...first, ...zeros, ...last].slice(0, 4);
  return network.map((group) => Number.parseInt(group, 16).toString(16)).join(':');
}

/** Does nothing, for a socket that is not counted. */
function ignore() {}

module.exports = { AuthenticationLimits, networkOf };
