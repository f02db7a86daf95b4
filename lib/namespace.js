'use strict';

/**
 * A namespace of the native server: where its sockets are found and spoken to together.
 */

const { EventEmitter } = require('events');
const { BroadcastOperator } = require('./broadcast');

/** Events of the namespace itself; all others are for its clients. */
const OWN_EVENTS = new Set([
  'connect',
  'connection',
  'new_namespace',
  'newListener',
  'removeListener',
]);

class Namespace extends EventEmitter {
  /**
   * @param {import('./server')} server whose
   * @param {string} name its name, `/` or `/…`
   * @param {number} index its number on the native server
   */
  constructor(server, name, index) {
    super();
    this.server = server;
    this.name = name;
    /** @type {Map<string, import('./socket').Socket>} the connected sockets, by id */
    this.sockets = new Map();
    /** The LoopbackSockets that serve this namespace. */
    this._instances = [];
    /** Existed when a LoopbackSocket began to serve the whole server. */
    this._isGated = false;
    this._index = index;
    this._lastAck = -1;
  }

  /**
   * Has a LoopbackSocket serve the sockets of this namespace.
   *
   * @param {import('./loopback-socket')} instance the LoopbackSocket
   * @returns {void}
   */
  [Symbol.for('loopback-socket.serve')](instance) {
    if (this._instances.includes(instance)) {
      return;
    }
    this._instances.push(instance);
    if (this.name === '/') {
      this.server._gateNamespaces();
    }
  }

  /**
   * Emits an event to every socket. Sockets that have not authenticated hear nothing.
   *
   * @param {string} event its name
   * @param {...unknown} args its arguments
   * @returns {boolean} true
   */
  emit(event, ...args) {
    if (OWN_EVENTS.has(event)) {
      return super.emit(event, ...args);
    }
    return new BroadcastOperator(this).emit(event, ...args);
  }

  /**
   * The sockets of a room.
   *
   * @param {string | string[]} room the room, or several
   * @returns {BroadcastOperator} to emit with
   */
  to(room) {
    return new BroadcastOperator(this).to(room);
  }

  /**
   * The same as `to`.
   *
   * @param {string | string[]} room the room, or several
   * @returns {BroadcastOperator} to emit with
   */
  in(room) {
    return this.to(room);
  }

  /**
   * All sockets but those of a room.
   *
   * @param {string | string[]} room the room, or several
   * @returns {BroadcastOperator} to emit with
   */
  except(room) {
    return new BroadcastOperator(this).except(room);
  }

  /**
   * @param {object} audience for whom
   * @param {unknown[]} args the event's name and arguments
   * @returns {void}
   */
  _broadcast(audience, args) {
    this.server._output.broadcast(this._index, audience, args);
  }

  /**
   * @returns {number} the next acknowledgement id: counted per namespace, from 0
   */
  _nextAck() {
    this._lastAck += 1;
    return this._lastAck;
  }

  /**
   * Tells the application of a socket.
   *
   * @param {import('./socket').Socket} socket the socket
   * @returns {void}
   */
  _announce(socket) {
    super.emit('connect', socket);
    super.emit('connection', socket);
  }
}

module.exports = { Namespace };
