'use strict';

/**
 * What an instance defines besides plain methods: options of methods, subscriptions, interceptors, and
 * listeners of errors.
 *
 * What must stay true: a name is that of a method or of a subscription, never of both.
 */

const { NameInUseError } = require('../errors');

/** How errors of handlers are sent: as in 0.4, by their own fields, or by message and code. */
const ERRORS = Object.freeze({ FIELDS: 'fields', MESSAGE: 'message' });

/**
 * A socket that has authenticated with an instance.
 *
 * @typedef {object} Authenticated
 * @property {object} socket the socket
 * @property {unknown} credentials those that it has authenticated with last
 * @property {{endAll: (instance: object, reason: string) => void}} [subscriptions] its subscriptions
 * @property {() => void} [revoke] of a socket whose connection is lost and which could come back: revokes its
 *   authentication
 */

/**
 * @template T
 * @typedef {object} ServedHost
 * @property {WeakRef<T>} target what an instance was started on; the instance does not keep it alive
 * @property {(target: T, instance: object) => Iterable<Authenticated>} authenticated gives its sockets
 * @property {(target: T, instance: object) => import('./instance-metrics').HostFigures} [figures] gives what
 *   there is on it
 */

class Definitions {
  /** @type {Map<string, import('./method-options').MethodOptions>} the options of methods that have any, by name */
  methodOptions = new Map();
  /** @type {Map<string, object>} subscriptions by name */
  subscriptions = new Map();
  /**
   * What runs around calls and subscriptions, the outermost first. The array is replaced, never changed:
   * calls that are under way keep it.
   *
   * @type {readonly Function[]}
   */
  interceptors = [];
  /** @type {readonly Function[]} what is told of errors of handlers; replaced, never changed */
  errorListeners = [];
  /** @type {import('../loopback3/expose').ExposedModels[]} the remote methods of LoopBack applications */
  exposures = [];
  /** How errors are sent, one of `ERRORS`. */
  errors;
  /** After how many ms a call is slow. */
  slowAfter;
  /** @type {ServedHost<any>[]} what the instance was started on */
  #hosts = [];
  /** @type {import('./call-metrics').CallMetrics | undefined} measures calls, once somebody asks for that */
  callMetrics;
  /** How attempts to authenticate have ended. */
  authentication = { accepted: 0, rejected: 0, timedOut: 0, tooManyAttempts: 0, tooManyPending: 0 };
  /** Whether its methods without options run without anything around them. */
  isPlain;

  /**
   * @param {object} options those of the instance
   * @param {string} options.errors how errors are sent, one of `ERRORS`
   * @param {number} options.slowAfter after how many ms a call is slow
   */
  constructor({ errors, slowAfter }) {
    this.errors = errors;
    this.slowAfter = slowAfter;
    this.#observe();
  }

  /**
   * Sets the options of a method, in the place of those it had.
   *
   * @param {string} name the method
   * @param {import('./method-options').MethodOptions} [options] `undefined` for none
   * @returns {void}
   */
  setMethodOptions(name, options) {
    if (options === undefined) {
      this.methodOptions.delete(name);
    } else {
      this.methodOptions.set(name, options);
    }
  }

  /**
   * @param {Function} interceptor runs within those there are
   * @returns {() => void} removes it
   */
  addInterceptor(interceptor) {
    const entry = (call, next) => interceptor(call, next);
    this.interceptors = [...this.interceptors, entry];
    this.#observe();
    return () => {
      this.interceptors = this.interceptors.filter((other) => other !== entry);
      this.#observe();
    };
  }

  /**
   * @param {Function} listener is told of errors
   * @returns {() => void} removes it
   */
  addErrorListener(listener) {
    const entry = (error, details) => listener(error, details);
    this.errorListeners = [...this.errorListeners, entry];
    this.#observe();
    return () => {
      this.errorListeners = this.errorListeners.filter((other) => other !== entry);
      this.#observe();
    };
  }

  /**
   * The instance begins to serve sockets.
   *
   * @template {object} T
   * @param {T} target what knows the sockets; the same one may be given again
   * @param {(target: T, instance: object) => Iterable<Authenticated>} authenticated gives its sockets that
   *   have authenticated with an instance
   * @param {(target: T, instance: object) => import('./instance-metrics').HostFigures} [figures] gives what
   *   there is on it
   * @returns {void}
   */
  addHost(target, authenticated, figures) {
    this.#hosts = this.#hosts.filter((host) => {
      const known = host.target.deref();
      return known !== undefined && known !== target;
    });
    this.#hosts.push({ target: new WeakRef(target), authenticated, figures });
  }

  /**
   * @param {object} instance the instance that this is of
   * @returns {Iterable<Authenticated>} all sockets that have authenticated with it, wherever it was started
   */
  *authenticated(instance) {
    for (const { target, authenticated } of this.#hosts) {
      const host = target.deref();
      if (host !== undefined) {
        yield* authenticated(host, instance);
      }
    }
  }

  /**
   * @param {object} instance the instance that this is of
   * @returns {Iterable<import('./instance-metrics').HostFigures>} what there is wherever it was started
   */
  *hostFigures(instance) {
    for (const { target, figures } of this.#hosts) {
      const host = target.deref();
      if (host !== undefined && figures !== undefined) {
        yield figures(host, instance);
      }
    }
  }

  /**
   * @returns {void}
   */
  #observe() {
    this.isPlain =
      this.errors === ERRORS.FIELDS &&
      this.interceptors.length === 0 &&
      this.errorListeners.length === 0;
  }

  /**
   * Checks that a name is free for a method.
   *
   * @param {string} name the name
   * @returns {void}
   * @throws {NameInUseError} if a subscription has it
   */
  checkMethodName(name) {
    if (this.subscriptions.has(name)) {
      throw new NameInUseError(name, 'subscription', 'removeSubscription()');
    }
  }

  /**
   * Checks that a name is free for a subscription.
   *
   * @param {string} name the name
   * @param {object} methods the methods of the instance, by name
   * @returns {void}
   * @throws {NameInUseError} if a method has it
   */
  checkSubscriptionName(name, methods) {
    if (Object.hasOwn(methods, name)) {
      throw new NameInUseError(name, 'method', 'removeMethod()');
    }
  }
}

module.exports = { Definitions, ERRORS };
