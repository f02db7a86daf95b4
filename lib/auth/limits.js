'use strict';

/**
 * How often a client may try to authenticate, and how many sockets of one address may be pending. For
 * both kinds of server; one object for each call of `start()`.
 *
 * What must stay true: a pending socket is counted once, until it has authenticated or ended.
 */

const net = require('net');

class AuthenticationLimits {
  #maxAttempts;
  #maxPending;
  #addressOf;
  /** The address that was looked at last, and what is counted for it: many sockets come from one proxy. */
  #lastAddress;
  #lastKey;
  /** @type {Map<string, number>} pending sockets by address; an address without any is not in it */
  #pending = new Map();

  /**
   * @param {import('./start-options').StartOptions} options complete
   */
  constructor({
    maxAuthenticationAttempts,
    maxPendingPerAddress,
    maxSubscriptions,
    clientAddress,
  }) {
    /** How many subscriptions a socket may have. */
    this.maxSubscriptions = maxSubscriptions;
    this.#maxAttempts = maxAuthenticationAttempts;
    this.#maxPending = maxPendingPerAddress;
    this.#addressOf = clientAddress;
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
    const key = this.#keyOf(this.#addressOf === undefined ? address : this.#addressOf(socket));
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
   * @param {unknown} address an address
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
