'use strict';

/**
 * What an npm `socket.io` server does with its sockets that no event tells reliably. The server emits what a client
 * sends on the same emitter as its own events, so before version 4, and with some parsers in version 4, a client can
 * forge any of them; and the application can remove any listener. So the method of the class of the sockets that ends
 * a socket is wrapped.
 *
 * What must stay true: a socket is known to have ended when its server has ended it, and not before, whatever its
 * client sends and whichever listeners are removed.
 */

const { knownState } = require('./socket-state');

/** @type {WeakSet<object>} the prototypes that are wrapped */
const wrapped = new WeakSet();

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
  // The names since version 3, and those of version 2.
  const close = ownerOf(socket, '_onclose', 'onclose');
  if (close === undefined) {
    return false;
  }
  if (!wrapped.has(close.prototype)) {
    wrapped.add(close.prototype);
    wrapClose(close);
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

module.exports = { watchServerOf };
