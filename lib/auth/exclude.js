'use strict';

/**
 * Ends sockets that may not stay, and tells their clients why.
 */

/**
 * Disconnects a socket, whatever its `disconnect` or the application's listeners do.
 *
 * @param {object} socket the socket
 * @param {boolean} [close=false] whether to close its connection, with all its namespaces
 * @returns {void}
 */
function disconnect(socket, close = false) {
  try {
    if (close) {
      socket.disconnect(true);
    } else {
      socket.disconnect();
    }
  } catch {
    // An emitter that cannot disconnect, or a listener that threw.
  }
}

/**
 * Tells a client why it is turned away.
 *
 * @param {object} socket the socket
 * @param {import('../errors').LoopbackSocketError} error why
 * @returns {void}
 */
function tell(socket, { message, code }) {
  try {
    socket.emit('unauthorized', { message, code });
  } catch {
    // A listener of an emitter that only looks like a socket; it is not for us to handle.
  }
}

/**
 * Tells a client why it is turned away, and ends its connection.
 *
 * @param {object} socket the socket
 * @param {import('../errors').LoopbackSocketError} error why
 * @returns {void}
 */
function exclude(socket, error) {
  tell(socket, error);
  disconnect(socket, true);
}

module.exports = { disconnect, exclude, tell };
