'use strict';

/**
 * Ends sockets that may not stay, and tells their clients why.
 *
 * What must stay true: a socket that this file has ended is not recovered, and its client calls nothing any more,
 * whatever listeners of the application do.
 */

const { warnOf } = require('../events');
const { turnedAway } = require('../observability/sockets');
const { emitOwn } = require('./own-events');

/** @type {WeakSet<object>} the sockets that were ended here */
const excluded = new WeakSet();

/**
 * Disconnects a socket, whatever its `disconnect` or the application's listeners do. In npm `socket.io`, an exception
 * of a listener of `disconnecting` or `disconnect` leaves the connection open, and maybe the socket connected. Then
 * the connection is closed below Socket.IO, even if only the socket was to be disconnected.
 *
 * @param {object} socket the socket
 * @param {boolean} [close=false] whether to close its connection, with all its namespaces
 * @returns {void}
 */
function disconnect(socket, close = false) {
  excluded.add(socket);
  try {
    if (typeof socket.disconnect !== 'function') {
      // An emitter that cannot disconnect.
      return;
    }
    if (close) {
      socket.disconnect(true);
    } else {
      socket.disconnect();
    }
  } catch (error) {
    warnOf(error);
    closeConnection(socket);
  }
}

/**
 * Closes the connection of a socket, as far as it has one. Engine.IO sends what is queued and takes no packet of the
 * client from then on; the sockets of the connection end with it.
 *
 * @param {object} socket the socket
 * @returns {void}
 */
function closeConnection(socket) {
  try {
    socket.conn?.close?.();
  } catch (error) {
    // A listener that threw again.
    warnOf(error);
  }
}

/**
 * Tells a client why it is turned away.
 *
 * @param {object} socket the socket
 * @param {import('../errors').LoopbackSocketError} error why
 * @returns {void}
 */
function tell(socket, error) {
  turnedAway(socket, error);
  const { message, code } = error;
  try {
    emitOwn(socket, 'unauthorized', { message, code });
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

/**
 * @param {object} socket a socket
 * @returns {boolean} whether it was ended here, whatever reason its server gives for that
 */
function isExcluded(socket) {
  return excluded.has(socket);
}

module.exports = { disconnect, exclude, isExcluded, tell };
