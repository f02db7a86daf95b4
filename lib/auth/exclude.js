'use strict';

/**
 * Ends sockets that may not stay, and tells their clients why.
 *
 * What must stay true: a socket that this file has ended is not recovered.
 */

const { turnedAway } = require('../observability/sockets');
const { emitOwn } = require('./own-events');

/** @type {WeakSet<object>} the sockets that were ended here */
const excluded = new WeakSet();

/**
 * Disconnects a socket, whatever its `disconnect` or the application's listeners do.
 *
 * @param {object} socket the socket
 * @param {boolean} [close=false] whether to close its connection, with all its namespaces
 * @returns {void}
 */
function disconnect(socket, close = false) {
  excluded.add(socket);
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
