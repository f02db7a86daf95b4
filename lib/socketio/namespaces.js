'use strict';

/**
 * The namespaces of one server, and the parents that make some of them when they are asked for. Also
 * what each namespace shares with the others.
 */

const { Namespace } = require('./namespace');
const { ParentNamespace } = require('./parent-namespace');
const { attempt, warnOf } = require('../events');

/** How many ms are between two warnings of one parent. */
const WARNING_INTERVAL = 60_000;

class Namespaces {
  /** @type {Map<string, Namespace>} by name */
  byName = new Map();
  /** @type {Function | undefined} the class of adapters that the application has chosen last */
  #adapterClass;
  /** Whether the adapters were closed with the server. */
  #hasClosedAdapters = false;
  /** @type {Map<Function, ParentNamespace>} by the function that decides on a namespace's name */
  #parents = new Map();
  /** @type {WeakMap<ParentNamespace, number>} when there was a warning of a parent last, in ms */
  #warnedAt = new WeakMap();
  #options;

  /**
   * @param {object} parts what the namespaces share
   * @param {import('./server')} parts.server their server
   * @param {import('../native/link').NativeLink} parts.link the native server, while it runs
   * @param {Map<number, import('./socket').Socket>} parts.sockets the sockets of all, by number
   * @param {() => import('./options').ServerOptions} parts.options the options in force
   */
  constructor({ server, link, sockets, options }) {
    this.server = server;
    this.link = link;
    this.sockets = sockets;
    this.#options = options;
    /** @returns {Function | undefined} the class of adapters for new namespaces */
    this.adapterClass = () => this.#adapterClass ?? options().adapter;
  }

  /**
   * The native server begins: it learns of the namespaces there are.
   *
   * @returns {void}
   */
  begin() {
    const { native } = this.link;
    for (const namespace of this.byName.values()) {
      namespace._index = native.namespace(namespace.name);
      if (this.#hasClosedAdapters) {
        namespace._initAdapter();
      }
    }
    this.#hasClosedAdapters = false;
    if (this.#parents.size > 0) {
      native.askForNamespaces();
    }
  }

  /**
   * @param {string} name a namespace's name; a slash in front may be left out
   * @returns {Namespace} the namespace, made on first use
   */
  get(name) {
    const full = name.startsWith('/') ? name : `/${name}`;
    const known = this.byName.get(full);
    if (known !== undefined) {
      return known;
    }
    for (const parent of this.#parents.values()) {
      if (parent.pattern?.test(full)) {
        return parent.createChild(full);
      }
    }
    const namespace = new Namespace(this, full);
    this.add(namespace);
    return namespace;
  }

  /**
   * @param {RegExp | Function} pattern fits the names of its namespaces, or decides on them
   * @returns {ParentNamespace} a new parent
   */
  addParent(pattern) {
    const parent = new ParentNamespace(this);
    if (pattern instanceof RegExp) {
      parent.pattern = pattern;
      this.#parents.set((name, auth, next) => next(null, pattern.test(name)), parent);
    } else {
      this.#parents.set(pattern, parent);
    }
    this.link.native?.askForNamespaces();
    return parent;
  }

  /**
   * Gives every namespace an adapter of another class.
   *
   * @param {Function} adapterClass the class
   * @returns {void}
   */
  useAdapters(adapterClass) {
    this.#adapterClass = adapterClass;
    for (const namespace of this.byName.values()) {
      namespace._initAdapter();
    }
  }

  /**
   * Closes the adapters of all namespaces. Those of a server that is attached again are made anew.
   *
   * @param {number} [ms] how long to wait for them: some never close while their database cannot be reached
   * @returns {Promise<void>} when all are closed, or have failed to, or the time is up
   */
  async closeAdapters(ms) {
    this.#hasClosedAdapters = true;
    const closing = [...this.byName.values()].map((namespace) => namespace._closeAdapter());
    const closed = Promise.allSettled(closing);
    if (ms === undefined) {
      await closed;
      return;
    }
    let timer;
    const expired = new Promise((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([closed, expired]);
    clearTimeout(timer);
  }

  /**
   * Adds a namespace.
   *
   * @param {Namespace} namespace the namespace
   * @returns {void}
   */
  add(namespace) {
    this.byName.set(namespace.name, namespace);
    namespace._index = this.link.native?.namespace(namespace.name);
    if (namespace.name !== '/') {
      this.byName.get('/')._emitReserved('new_namespace', namespace);
    }
  }

  /**
   * A child of a parent has no sockets. With the option `cleanupEmptyChildNamespaces` it is forgotten.
   *
   * @param {Namespace} namespace the child
   * @returns {boolean} whether it is
   */
  dropEmpty(namespace) {
    if (!this.#options().cleanupEmptyChildNamespaces) {
      return false;
    }
    if (this.byName.get(namespace.name) === namespace) {
      this.#remove(namespace);
    }
    return true;
  }

  /**
   * @param {Namespace} namespace a namespace without sockets, which is to be forgotten
   * @returns {void}
   */
  #remove(namespace) {
    this.byName.delete(namespace.name);
    this.link.native?.removeNamespace(namespace._index);
    closeUnawaited(namespace);
  }

  /**
   * A client asks for a namespace that there is not: each parent is asked in turn, until one makes it. Any client can
   * have this called, so an error of the application here never ends the process: see `#failed`.
   *
   * @param {string} name the namespace
   * @param {object} auth what the client gave to join it
   * @param {(exists: boolean) => void} done called with whether it exists now; not at all if a function
   *   of the application never answers
   * @returns {void}
   */
  find(name, auth, done) {
    const parents = [...this.#parents];
    const step = (i) => {
      if (this.byName.has(name) || i === parents.length) {
        done(this.byName.has(name));
        return;
      }
      const [has, parent] = parents[i];
      let isDecided = false;
      const decide = (error, allowed) => {
        if (isDecided) {
          return;
        }
        isDecided = true;
        if (error || !allowed) {
          step(i + 1);
          return;
        }
        if (!this.byName.has(name)) {
          this.#createChild(parent, name);
        }
        done(this.byName.has(name));
      };
      const failed = (error) => {
        this.#failed(parent, error);
        // A function that fails counts as one that refuses, so the client still gets an answer.
        decide(true);
      };
      attempt(() => has(name, auth, decide), failed);
    };
    step(0);
  }

  /**
   * Makes a namespace for a client. If its adapter or a listener of `new_namespace` throws, there is none: what that
   * listener adds, such as middleware that checks who joins, may be missing.
   *
   * @param {ParentNamespace} parent its parent
   * @param {string} name its name
   * @returns {void}
   */
  #createChild(parent, name) {
    try {
      parent.createChild(name);
    } catch (error) {
      this.#failed(parent, error);
      const child = this.byName.get(name);
      if (child !== undefined) {
        this.#remove(child);
        parent.children.delete(child);
      }
    }
  }

  /**
   * A function of the application has failed to decide on a namespace, or to prepare it. Warns of it, at most once a
   * minute for each parent: clients may cause it as often as they like.
   *
   * @param {ParentNamespace} parent the parent
   * @param {unknown} error what the function failed with
   * @returns {void}
   */
  #failed(parent, error) {
    const now = performance.now();
    const last = this.#warnedAt.get(parent);
    if (last === undefined || now - last >= WARNING_INTERVAL) {
      this.#warnedAt.set(parent, now);
      warnOf(error);
    }
  }
}

/**
 * Closes the adapter of a namespace that is no more. Nobody waits for that: a failure becomes a warning.
 *
 * @param {Namespace} namespace the namespace
 * @returns {void}
 */
function closeUnawaited(namespace) {
  namespace._closeAdapter().catch(warnOf);
}

module.exports = { Namespaces };
