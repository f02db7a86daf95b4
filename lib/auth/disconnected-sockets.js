'use strict';

/**
 * What this process remembers of sockets that had authenticated and whose connection was lost, until their
 * clients are back: with connection state recovery, a socket comes back authenticated if it was. For both kinds
 * of server.
 *
 * What must stay true: only the private id of a session (`pid`) finds what is remembered, in the namespace of the
 * socket and once; whoever is revoked before the client has its socket back, or whose authentication has expired
 * by then, is not recovered; what is remembered is limited, whatever clients send; what is dropped here costs a
 * client no more than to authenticate again.
 */

const { allExpires } = require('./expiry');
const { ExpiringMap } = require('./expiring-map');
const { ExpiredError, RevokedError } = require('../errors');
const { sizeOf } = require('../subscriptions/item-size');

/** How many sockets a server remembers; the oldest are dropped. */
const MAX_SOCKETS = 10_000;
/** How many bytes a server remembers of what clients have sent, about: credentials and handshakes. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * What an instance had bound to a socket.
 *
 * @typedef {object} Bound
 * @property {unknown} credentials those that the client had authenticated with
 * @property {import('./authenticate').BoundMethods} methods the methods, as they stood then
 */

/** A socket that had authenticated, or that the application had exempted. */
class DisconnectedSocket {
  /** Whether an instance has revoked its authentication since. */
  #isRevoked = false;
  /** @type {Map<import('../loopback-socket'), Bound>} */
  #bound;
  /** Whether its client is on the way back: its session is being restored. */
  isReturning = false;

  /**
   * @param {string} pid the private id of its session
   * @param {object} socket the socket; it has ended
   * @param {Map<import('../loopback-socket'), Bound>} bound what the instances had bound
   */
  constructor(pid, socket, bound) {
    this.pid = pid;
    this.socket = socket;
    /** Until when the instances have authenticated its client: each date with its instance. */
    this.dates = allExpires(socket);
    this.#bound = bound;
  }

  /**
   * @returns {import('../errors').LoopbackSocketError | undefined} why it may not come back: its authentication has
   *   been revoked, or has expired
   */
  get refusal() {
    if (this.#isRevoked) {
      return new RevokedError();
    }
    // As the dates are now: the application may have changed an object since.
    const hasExpired = this.dates.some(({ date }) => Number(date) <= Date.now());
    return hasExpired ? new ExpiredError() : undefined;
  }

  /** @returns {boolean} whether the application had exempted it, and no instance had authenticated it */
  get isExempt() {
    return this.#bound.size === 0;
  }

  /**
   * @param {import('../loopback-socket')} instance an instance
   * @returns {Bound | undefined} what it had bound, if it had authenticated the socket
   */
  boundBy(instance) {
    return this.#bound.get(instance);
  }

  /**
   * @param {import('../loopback-socket')} instance an instance
   * @returns {Iterable<import('../calls/definitions').Authenticated>} what `revoke()` has to know of the socket
   */
  *authenticatedWith(instance) {
    const bound = this.#isRevoked ? undefined : this.#bound.get(instance);
    if (bound !== undefined) {
      const revoke = () => {
        this.#isRevoked = true;
      };
      yield { socket: this.socket, credentials: bound.credentials, revoke };
    }
  }
}

/** Those of one server. */
class DisconnectedSockets {
  /** @type {ExpiringMap<string, DisconnectedSocket>} by the private id of their sessions */
  #sockets;
  /** @type {WeakSet<object>} instances that know of them */
  #known = new WeakSet();

  /**
   * @param {number} maxAge for how many ms a socket is remembered
   */
  constructor(maxAge) {
    this.#sockets = new ExpiringMap({
      maxAge,
      maxCount: MAX_SOCKETS,
      maxWeight: MAX_BYTES,
    });
  }

  /**
   * Remembers a socket that is not pending and whose connection is lost.
   *
   * @param {string} pid the private id of its session
   * @param {object} socket the socket
   * @param {Map<import('../loopback-socket'), Bound>} bound what the instances that have authenticated it have
   *   bound; none if the application has exempted it
   * @param {() => number} handshakeSize gives how many bytes of what its client has sent it keeps, about, besides
   *   credentials
   * @returns {boolean} whether it may come back
   */
  add(pid, socket, bound, handshakeSize) {
    const disconnected = new DisconnectedSocket(pid, socket, bound);
    if (disconnected.refusal !== undefined) {
      return false;
    }
    for (const instance of bound.keys()) {
      if (!this.#known.has(instance)) {
        this.#known.add(instance);
        instance._definitions.addHost(this, disconnectedWith);
      }
    }
    this.#sockets.set(pid, disconnected, weightOf(bound, handshakeSize));
    return true;
  }

  /**
   * A client is on the way back. What is remembered of its socket is kept until it has it: `revoke()` has to find
   * it until then.
   *
   * @param {object} nsp the namespace that it joins
   * @param {string} pid the private id of its session
   * @returns {DisconnectedSocket | undefined} what is remembered; `undefined` if nothing is, or if it is on the way
   *   back already
   */
  find(nsp, pid) {
    const disconnected = this.#sockets.get(pid);
    const isFound = disconnected?.socket.nsp.name === nsp.name && !disconnected.isReturning;
    if (!isFound) {
      return undefined;
    }
    disconnected.isReturning = disconnected.refusal === undefined;
    return disconnected;
  }

  /**
   * A client that was on the way back has gone again.
   *
   * @param {DisconnectedSocket} disconnected what is remembered of its socket
   * @returns {void}
   */
  putBack(disconnected) {
    disconnected.isReturning = false;
  }

  /**
   * Takes a socket whose client is back, or will not be.
   *
   * @param {DisconnectedSocket} disconnected what is remembered of it
   * @returns {boolean} whether it still was; if not, `revoke()` may have missed it
   */
  take(disconnected) {
    const { pid } = disconnected;
    return this.#sockets.get(pid) === disconnected && this.#sockets.take(pid) !== undefined;
  }

  /**
   * @returns {DisconnectedSocket[]} all of them
   */
  all() {
    return this.#sockets.values();
  }
}

/**
 * @param {Map<import('../loopback-socket'), Bound>} bound what instances had bound to a socket
 * @param {() => number} handshakeSize gives how many bytes it keeps besides
 * @returns {number} how many bytes all of it takes, about
 */
function weightOf(bound, handshakeSize) {
  try {
    return [...bound.values()].reduce(
      (sum, { credentials }) => sum + sizeOf(credentials),
      handshakeSize(),
    );
  } catch {
    // The application has put something into it that cannot be measured: too much to remember.
    return Infinity;
  }
}

/**
 * @param {DisconnectedSockets} disconnected the sockets of a server
 * @param {import('../loopback-socket')} instance an instance
 * @returns {Iterable<import('../calls/definitions').Authenticated>} those that had authenticated with it
 */
function* disconnectedWith(disconnected, instance) {
  for (const one of disconnected.all()) {
    yield* one.authenticatedWith(instance);
  }
}

module.exports = { DisconnectedSockets };
