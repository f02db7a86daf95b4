'use strict';

/**
 * What an npm `socket.io` server does with its sockets that no event tells reliably. The server emits what a client
 * sends on the same emitter as its own events, so before version 4, and with some parsers in version 4, a client can
 * forge any of them; and the application can remove any listener. So two methods of the class of the sockets are
 * wrapped: the one that ends a socket, and the one that takes its packets.
 *
 * What must stay true: a socket is known to have ended when its server has ended it, and not before, whatever its
 * client sends and whichever listeners are removed; no packet of a client makes the server throw.
 */

const { ACK_PACKET, BINARY_ACK_PACKET, BINARY_EVENT_PACKET, EVENT_PACKET } = require('../events');
const { knownState } = require('./socket-state');

const { MAX_ARGUMENTS } = require('../native/protocol').Limits;

/** The type of packets with an error, which only servers send (Socket.IO protocol 5, "Packet types"). */
const ERROR_PACKET = 4;

/** @type {WeakSet<object>} the prototypes that are wrapped */
const wrapped = new WeakSet();

/** @type {WeakSet<object>} the servers whose sockets concern us; others may have the same class */
const servers = new WeakSet();

/** @type {WeakSet<object>} the sockets that have a listener of `error` for good */
const keepsListener = new WeakSet();

/**
 * Watches the sockets of the server of a socket, in all its namespaces.
 *
 * @param {object} socket a socket
 * @returns {boolean} whether a server owns it that can be watched: then the socket has ended when it is not
 *   `connected`, and only then
 */
function watchServerOf(socket) {
  const { nsp, client } = socket;
  const server = nsp?.server;
  if (typeof server !== 'object' || server === null || !client) {
    return false;
  }
  if (servers.has(server)) {
    return true;
  }
  // The names since version 3, and those of version 2.
  const close = ownerOf(socket, '_onclose', 'onclose');
  const packet = ownerOf(socket, '_onpacket', 'onpacket');
  if (close === undefined || packet === undefined) {
    return false;
  }
  servers.add(server);
  if (!wrapped.has(close.prototype)) {
    wrapped.add(close.prototype);
    wrapClose(close);
    wrapPacket(packet);
  }
  return true;
}

/**
 * @param {object} socket a socket
 * @param {...string} names names that a method may have
 * @returns {{prototype: object, name: string} | undefined} the prototype that has it, and its name there
 */
function ownerOf(socket, ...names) {
  for (const name of names) {
    let prototype = Object.getPrototypeOf(socket);
    while (prototype !== null && !Object.hasOwn(prototype, name)) {
      prototype = Object.getPrototypeOf(prototype);
    }
    if (typeof prototype?.[name] === 'function') {
      return { prototype, name };
    }
  }
  return undefined;
}

/**
 * Has a socket that its server has ended let go of everything, unless its listener of `disconnect` has done so.
 *
 * @param {{prototype: object, name: string}} method the method that ends a socket
 * @returns {void}
 */
function wrapClose({ prototype, name }) {
  const close = prototype[name];
  prototype[name] = function closeWatched(...args) {
    try {
      return Reflect.apply(close, this, args);
    } finally {
      // A listener of `disconnecting` that throws keeps the socket connected.
      if (!this.connected) {
        ended(this, args[0]);
      }
    }
  };
}

/**
 * @param {object} socket a socket that has ended
 * @param {unknown} reason why, in Socket.IO's words
 * @returns {void}
 */
function ended(socket, reason) {
  const state = knownState(socket);
  if (state === undefined) {
    return;
  }
  const { hidden, hosted } = state;
  for (const connection of hidden instanceof Set ? hidden : [hidden]) {
    connection?.muted?.delete(socket);
  }
  hosted?.left(reason);
}

/**
 * Keeps packets away from sockets on which the server would throw.
 *
 * @param {{prototype: object, name: string}} method the method that takes packets
 * @returns {void}
 */
function wrapPacket({ prototype, name }) {
  const take = prototype[name];
  prototype[name] = function takeWatched(packet) {
    if (servers.has(this.nsp?.server)) {
      if (isMalformed(packet)) {
        // What version 4 does with a packet that its parser refuses.
        this.conn.close();
        return undefined;
      }
      if (isError(packet) && !canEmitErrors(this)) {
        return undefined;
      }
    }
    return take.call(this, packet);
  };
}

/**
 * @param {{type: number}} packet a packet
 * @returns {boolean} whether it brings an event
 */
function isEvent({ type }) {
  return type === EVENT_PACKET || type === BINARY_EVENT_PACKET;
}

/**
 * @param {{type: number, data: unknown}} packet a packet
 * @returns {boolean} whether it is an event whose name cannot be one, an event or an acknowledgement with too many
 *   arguments, or an error that cannot be printed
 */
function isMalformed(packet) {
  const { type, data } = packet;
  if (isEvent(packet)) {
    // With some parsers the data may be anything, and the server adds an acknowledgement to it.
    const name = isArray(data, MAX_ARGUMENTS + 1) ? data[0] : undefined;
    return typeof name !== 'string' && typeof name !== 'number';
  }
  if (type === ACK_PACKET || type === BINARY_ACK_PACKET) {
    // Without data, it has no arguments.
    return data !== undefined && data !== null && !isArray(data, MAX_ARGUMENTS);
  }
  return type === ERROR_PACKET && typeof data === 'object' && data !== null;
}

/**
 * @param {unknown} data what a packet brings
 * @param {number} most how many elements it may have
 * @returns {boolean} whether it is an array of so many at most
 */
function isArray(data, most) {
  return Array.isArray(data) && data.length <= most;
}

/**
 * @param {{type: number, data: unknown}} packet a packet that is not malformed
 * @returns {boolean} whether the server emits an `error` for it
 */
function isError(packet) {
  return packet.type === ERROR_PACKET || (isEvent(packet) && packet.data[0] === 'error');
}

/**
 * @param {object} socket a socket
 * @returns {boolean} whether it has a listener of `error`, without which Node's emitter throws. Then it keeps one: the
 *   application may remove its own before the server emits the event
 */
function canEmitErrors(socket) {
  if (socket.listeners('error').length === 0) {
    return false;
  }
  if (!keepsListener.has(socket)) {
    keepsListener.add(socket);
    socket.on('error', () => {});
  }
  return true;
}

module.exports = { watchServerOf };
