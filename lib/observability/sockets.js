'use strict';

/**
 * What is published and logged of sockets: that they connect and disconnect, and why they are turned away.
 */

const { channels } = require('./channels');
const { log, summaryOf } = require('./log');
const { ConnectMessage, DisconnectMessage, idOf } = require('./message');

/** @type {WeakSet<object>} sockets whose clients have not authenticated in time, while somebody observes that */
const timedOut = new WeakSet();

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
      message['network.protocol.name'] ?? 'an unknown transport',
      message['loopback_socket.server'],
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

module.exports = { authenticationTimedOut, connected, disconnected, subscriptionEnded, turnedAway };
