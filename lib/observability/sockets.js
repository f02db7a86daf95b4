'use strict';

/**
 * What is published and logged of sockets: that they connect and disconnect, and why they are turned away.
 */

const { channels } = require('./channels');
const { log, quoted, summaryOf } = require('./log');
const { ConnectMessage, DisconnectMessage, idOf } = require('./message');

/** @type {WeakSet<object>} sockets whose clients have not authenticated in time, while somebody observes that */
const timedOut = new WeakSet();

/** What is logged for the values of `network.protocol.name`. */
const TRANSPORTS = { http: 'long polling', websocket: 'websocket' };

/**
 * A socket has joined its namespace.
 *
 * @param {object} socket the socket
 * @returns {void}
 */
function connected(socket) {
  if (channels.connect.hasSubscribers || log.connect.enabled) {
    const message = new ConnectMessage(socket);
    channels.connect.publish(message);
    log.connect(
      '%s has connected to %s from %s by %s, %s server',
      idOf(socket),
      message['messaging.socket.io.namespace'] ?? 'no namespace',
      message['client.address'] ?? 'an unknown address',
      TRANSPORTS[message['network.protocol.name']] ?? 'an unknown transport',
      message['loopback_socket.server'],
    );
  }
}

/**
 * @returns {boolean} whether it is shown that sockets are refused
 */
function logsRefusals() {
  return log.connect.enabled;
}

/**
 * Middleware of the application refuses a socket.
 *
 * @param {unknown} id the id of the socket
 * @param {string} namespace the name of the namespace
 * @param {unknown} error why
 * @returns {void}
 */
function refused(id, namespace, error) {
  if (log.connect.enabled) {
    log.connect('%s is refused in %s: %s', id, quoted(namespace), summaryOf(error));
  }
}

/**
 * A request of a client to the server is refused.
 *
 * @param {string | undefined} address the address of the client, or of a proxy
 * @param {string} reason why, as `io.metrics()` has it
 * @param {unknown} [error] what the application has failed with
 * @returns {void}
 */
function requestRefused(address, reason, error) {
  if (log.connect.enabled) {
    log.connect(
      'a request from %s is refused: %s%s',
      address ?? 'an unknown address',
      reason,
      error === undefined ? '' : `, ${summaryOf(error)}`,
    );
  }
}

/**
 * A socket has left its namespace, or its connection has ended.
 *
 * @param {object} socket the socket
 * @param {unknown} reason why, in Socket.IO's words
 * @returns {void}
 */
function disconnected(socket, reason) {
  if (channels.disconnect.hasSubscribers || log.disconnect.enabled) {
    const message = new DisconnectMessage(socket, reason, timedOut.has(socket));
    channels.disconnect.publish(message);
    log.disconnect('%s has disconnected: %s', idOf(socket), summaryOf(reason));
  }
}

/**
 * The client of a socket has not authenticated in time: its connection is closed.
 *
 * @param {object} socket the socket
 * @returns {void}
 */
function authenticationTimedOut(socket) {
  if (channels.disconnect.hasSubscribers) {
    timedOut.add(socket);
  }
  if (log.authenticate.enabled) {
    log.authenticate('%s has not authenticated in time: its connection is closed', idOf(socket));
  }
}

/**
 * A socket is turned away by this package: its authentication has expired or was revoked, or a limit is exceeded.
 *
 * @param {object} socket the socket
 * @param {import('../errors').LoopbackSocketError} error why
 * @returns {void}
 */
function turnedAway(socket, error) {
  if (log.authenticate.enabled) {
    log.authenticate('%s is turned away: %s', idOf(socket), summaryOf(error));
  }
}

/**
 * The server has ended a subscription of a socket.
 *
 * @param {object} socket the socket
 * @param {string} name the subscription
 * @param {number} number its number
 * @param {string} reason why
 * @returns {void}
 */
function subscriptionEnded(socket, name, number, reason) {
  if (log.subscribe.enabled) {
    log.subscribe('%s is subscribed to %s no more (%d): %s', idOf(socket), name, number, reason);
  }
}

module.exports = {
  authenticationTimedOut,
  connected,
  disconnected,
  logsRefusals,
  refused,
  requestRefused,
  subscriptionEnded,
  turnedAway,
};
