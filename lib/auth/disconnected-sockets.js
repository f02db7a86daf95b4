'use strict';

/**
 * What this process remembers of sockets that had authenticated and whose connection was lost, until their
 * clients are back: with connection state recovery, a socket comes back authenticated if it was. For both kinds
 * of server.
 *
 * What must stay true: only the private id of a session (`pid`) finds what is remembered, and finds it once;
 * whoever has been revoked meanwhile, or whose authentication has expired, is not recovered; what is dropped
 * here costs a client no more than to authenticate again.
 */

const { expiresOf } = require('./expiry');
const { ExpiringMap } = require('./expiring-map');
const { sizeOf } = require('../subscriptions/item-size');

/** How many sockets a namespace remembers; the oldest are dropped. */
const MAX_SOCKETS = 10_000;
/** How many bytes of credentials a namespace remembers, about. */
const MAX_CREDENTIALS = 16 * 1024 * 1024;

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

  /**
   * @param {object} socket the socket; it has ended
   * @param {Map<import('../loopback-socket'), Bound>} bound what the instances had bound
   * @param {number} until when it is forgotten, in ms since the process began
   */
  constructor(socket, bound, until) {
    this.socket = socket;
    this.until = until;
    /** How many bytes its credentials take, about. */
    this.weight = weightOf(bound);
    /** Until when its client is authenticated, as the application has set it. */
    this.expires = expiresOf(socket);
    this.#bound = bound;
  }

  /** @returns {boolean} whether it may come back: its authentication has neither been revoked nor expired */
  get mayReturn() {
    return !this.#isRevoked && !(this.expires !== null && Number(this.expires) <= Date.now());
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

/** Those of one namespace. */
class DisconnectedSockets {
  /** @type {ExpiringMap<string, DisconnectedSocket>} by the private id of their sessions */
  #sockets;
  /** @type {WeakSet<object>} instances that know of them */
  #known = new WeakSet();
  #maxAge;

  /**
   * @param {number} maxAge for how many ms a socket is remembered
   */
  constructor(maxAge) {
    this.#maxAge = maxAge;
    this.#sockets = new ExpiringMap({
      maxAge,
      maxCount: MAX_SOCKETS,
      maxWeight: MAX_CREDENTIALS,
    });
  }

  /**
   * Remembers a socket that is not pending and whose connection is lost.
   *
   * @param {string} pid the private id of its session
   * @param {object} socket the socket
   * @param {Map<import('../loopback-socket'), Bound>} bound what the instances that have authenticated it have
   *   bound; none if the application has exempted it
   * @returns {DisconnectedSocket | undefined} what is remembered; `undefined` if that must not be
   */
  add(pid, socket, bound) {
    const until = performance.now() + this.#maxAge;
    const disconnected = new DisconnectedSocket(socket, bound, until);
    if (!disconnected.mayReturn) {
      return undefined;
    }
    for (const instance of bound.keys()) {
      if (!this.#known.has(instance)) {
        this.#known.add(instance);
        instance._definitions.addHost(this, disconnectedWith);
      }
    }
    this.putBack(pid, disconnected);
    return disconnected;
  }

  /**
   * Remembers a socket again, whose recovery has been broken off, for the rest of its time.
   *
   * @param {string} pid the private id of its session
   * @param {DisconnectedSocket} disconnected the socket
   * @returns {void}
   */
  putBack(pid, disconnected) {
    this.#sockets.set(pid, disconnected, disconnected.weight);
  }

  /**
   * Takes a socket that is to be recovered, or not to be any more.
   *
   * @param {string} pid the private id of its session
   * @returns {DisconnectedSocket | undefined} what is remembered of it
   */
  take(pid) {
    const disconnected = this.#sockets.take(pid);
    return disconnected?.until > performance.now() ? disconnected : undefined;
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
 * @returns {number} how many bytes the credentials take, about
 */
function weightOf(bound) {
  try {
    return [...bound.values()].reduce((sum, { credentials }) => sum + sizeOf(credentials), 0);
  } catch {
    // The application has put something into them that cannot be measured: too much to remember.
    return Infinity;
  }
}

/**
 * @param {DisconnectedSockets} disconnected the sockets of a namespace
 * @param {import('../loopback-socket')} instance an instance
 * @returns {Iterable<import('../calls/definitions').Authenticated>} those that had authenticated with it
 */
function* disconnectedWith(disconnected, instance) {
  for (const one of disconnected.all()) {
    yield* one.authenticatedWith(instance);
  }
}

module.exports = { DisconnectedSockets };
