'use strict';

/**
 * How this package emits events of its own to a socket: `authenticated`, `unauthorized` and what belongs to
 * subscriptions. With connection state recovery, Socket.IO has events of the application go through the adapter,
 * which keeps them for a client that has lost its connection, and which may take its time. Those of this package
 * are about the connection, so they do not go that way.
 */

/** A method of sockets that emits an event to the client and to nothing else, where `emit()` may do more. */
const EMIT_OWN = Symbol('loopback-socket.emit-own');

/**
 * @param {object} socket a socket of any server, or an emitter that looks like one
 * @param {string} event the event
 * @param {...unknown} args its arguments; a function as last one takes the client's acknowledgement
 * @returns {void}
 * @throws whatever `emit()` throws
 */
function emitOwn(socket, event, ...args) {
  if (typeof socket[EMIT_OWN] === 'function') {
    socket[EMIT_OWN](event, ...args);
  } else {
    socket.emit(event, ...args);
  }
}

module.exports = { EMIT_OWN, emitOwn };
