'use strict';

/**
 * What `io.of(/…/)` and `io.of(function)` give: namespaces that are made when a client asks for
 * one. Its listeners, middleware and LoopbackSockets are those of each of its children.
 */

const { Namespace } = require('./namespace');
const { UnsupportedApiError } = require('../errors');

let made = 0;

class ParentNamespace extends Namespace {
  /**
   * @param {import('./server')} server whose
   */
  constructor(server) {
    made += 1;
    super(server, `/_${made}`);
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
    const child = new ChildNamespace(this, name);
    child._middleware = this._middleware.slice();
    child._instances = this._instances;
    child._limits = this._limits;
    for (const event of ['connect', 'connection']) {
      this.listeners(event).forEach((listener) => child.on(event, listener));
    }
    this.children.add(child);
    this.server._add(child);
    return child;
  }

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

  /**
   * @returns {import('./socket').Socket[]} the sockets of all children
   */
  _connected() {
    return [...this.children].flatMap((child) => child._connected());
  }

  /**
   * @param {object} whom for whom
   * @param {number | ''} ack the id clients are to acknowledge with, `''` for none
   * @param {{volatile?: boolean, compress?: boolean}} flags how
   * @param {unknown[]} args the event's name and arguments
   * @returns {void}
   */
  _broadcast(whom, ack, flags, args) {
    for (const child of this.children) {
      child._broadcast(whom, ack, flags, args);
    }
  }
}

/**
 * A namespace made by a parent.
 */
class ChildNamespace extends Namespace {
  #parent;

  /**
   * @param {ParentNamespace} parent its parent
   * @param {string} name its name
   */
  constructor(parent, name) {
    super(parent.server, name);
    this.#parent = parent;
  }

  /**
   * A socket is here no more; with the option `cleanupEmptyChildNamespaces` the namespace goes with
   * the last.
   *
   * @param {import('./socket').Socket} socket the socket
   * @returns {void}
   */
  _remove(socket) {
    super._remove(socket);
    if (
      this.server._options.cleanupEmptyChildNamespaces &&
      this.sockets.size === 0 &&
      this._preConnectSockets.size === 0
    ) {
      this.#parent.children.delete(this);
      this.server._drop(this);
    }
  }
}

module.exports = { ParentNamespace };
