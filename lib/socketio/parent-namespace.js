'use strict';

/**
 * What `io.of(/…/)` and `io.of(function)` give: namespaces that are made when a client asks for
 * one. Its listeners, middleware and LoopbackSockets are those of each of its children.
 *
 * As in Socket.IO, what it emits reaches the sockets of its children, and it has none of its own: what manages or
 * fetches sockets, and broadcasts with acknowledgements by its operators, find none.
 */

const { Namespace } = require('./namespace');
const { UnsupportedApiError } = require('../errors');
const { eventName, isOfEmitter } = require('../events');

let made = 0;

class ParentNamespace extends Namespace {
  _isParent = true;
  #namespaces;

  /**
   * @param {import('./namespaces').Namespaces} namespaces those of its server
   */
  constructor(namespaces) {
    made += 1;
    super(namespaces, `/_${made}`);
    this.#namespaces = namespaces;
    /** @type {Set<Namespace>} the namespaces made so far */
    this.children = new Set();
  }

  /**
   * Makes a namespace that a client, or the application, asked for.
   *
   * @param {string} name its name
   * @returns {Namespace} the namespace
   */
  createChild(name) {
    const child = new ChildNamespace(this.#namespaces, name, this);
    child._inherit(this);
    for (const event of ['connect', 'connection']) {
      this.listeners(event).forEach((listener) => child.on(event, listener));
    }
    this.children.add(child);
    this.#namespaces.add(child);
    return child;
  }

  /**
   * Emits an event to the sockets of all children. A function as last argument is called for each child, with
   * `(error, responses)` of its clients.
   *
   * @param {string} event its name
   * @param {...unknown} args its arguments
   * @returns {boolean} true
   * @throws {ReservedEventError} if the name is an event of the socket itself
   */
  emit(event, ...args) {
    if (typeof args.at(-1) !== 'function' || isOfEmitter(event)) {
      return super.emit(event, ...args);
    }
    eventName(event);
    for (const child of this.children) {
      child.emit(event, ...args);
    }
    return true;
  }

  /**
   * Parent namespaces have no adapter: each of their children has one.
   *
   * @returns {void}
   */
  _initAdapter() {}

  /**
   * Parent namespaces have no sockets of their own to give.
   *
   * @throws {UnsupportedApiError} always
   */
  fetchSockets() {
    throw new UnsupportedApiError(
      'fetchSockets',
      'io.of(name).fetchSockets(): a parent namespace has no sockets of its own',
    );
  }

  /** @returns {boolean} whether a socket of a child has listeners for every event sent */
  get _hasOutgoingListeners() {
    return [...this.children].some((child) => child._hasOutgoingListeners);
  }

  /**
   * @returns {import('./socket').Socket[]} the sockets of all children
   */
  _connected() {
    return [...this.children].flatMap((child) => child._connected());
  }

  /**
   * @param {import('./broadcast-operator').BroadcastOperator} whom for whom
   * @param {number | ''} ack the id clients are to acknowledge with, `''` for none
   * @param {{volatile?: boolean, compress?: boolean}} flags how
   * @param {unknown[]} args the event's name and arguments
   * @returns {void}
   */
  _broadcast(whom, ack, flags, args) {
    for (const child of this.children) {
      if (child._custom === undefined) {
        child._broadcast(whom, ack, flags, args);
      } else {
        // Adapters may add to what they are given.
        child._custom.broadcast(whom, [...args]);
      }
    }
  }
}

/**
 * A namespace made by a parent.
 */
class ChildNamespace extends Namespace {
  #namespaces;
  #parent;

  /**
   * @param {import('./namespaces').Namespaces} namespaces those of its server
   * @param {string} name its name
   * @param {ParentNamespace} parent its parent
   */
  constructor(namespaces, name, parent) {
    super(namespaces, name);
    this.#namespaces = namespaces;
    this.#parent = parent;
  }

  /**
   * Removes a socket that has ended. With the option `cleanupEmptyChildNamespaces` the namespace is
   * removed with its last socket.
   *
   * @param {import('./socket').Socket} socket the socket
   * @returns {void}
   */
  _remove(socket) {
    super._remove(socket);
    this._dropIfEmpty();
  }

  /**
   * With the option `cleanupEmptyChildNamespaces`, removes the namespace if it has no sockets and none is about to
   * join it. One that Rust has read the request of joins the namespace that is there by then.
   *
   * @returns {void}
   */
  _dropIfEmpty() {
    const isEmpty = this.sockets.size + this._preConnectSockets.size + this._restoring === 0;
    if (isEmpty && this.#namespaces.dropEmpty(this)) {
      this.#parent.children.delete(this);
    }
  }
}

module.exports = { ParentNamespace };
