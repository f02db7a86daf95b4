'use strict';

/**
 * Ends sockets whose authentication the application takes back.
 */

const { disconnect, tell } = require('./exclude');
const { InvalidCallbackError, InvalidOptionError, RevokedError } = require('../errors');

/**
 * Revokes the authentication of sockets of an instance, also of those whose connection is lost and which could
 * be recovered. Nothing is done before the filter has decided for all.
 *
 * @param {import('../loopback-socket')} instance the instance
 * @param {unknown} filter `(socket, credentials)`: whether to revoke it
 * @returns {number} how many connected sockets were revoked
 * @throws {InvalidCallbackError} if the filter is not a function
 * @throws {InvalidOptionError} if the filter gives a promise
 * @throws whatever the filter throws
 */
function revoke(instance, filter) {
  if (typeof filter !== 'function') {
    throw new InvalidCallbackError(filter);
  }
  const revoked = [];
  const disconnected = [];
  for (const authenticated of instance._definitions.authenticated(instance)) {
    const isRevoked = filter(authenticated.socket, authenticated.credentials);
    if (typeof isRevoked?.then === 'function') {
      throw new InvalidOptionError('filter', isRevoked, 'a function that returns true or false');
    }
    if (isRevoked) {
      (authenticated.revoke === undefined ? revoked : disconnected).push(authenticated);
    }
  }
  for (const { revoke: revokeDisconnected } of disconnected) {
    revokeDisconnected();
  }
  const error = new RevokedError();
  // Sockets may share a connection, which closes with the first one: all clients are told before.
  for (const { socket, subscriptions } of revoked) {
    subscriptions?.endAll(instance, 'revoked');
    tell(socket, error);
  }
  for (const { socket } of revoked) {
    disconnect(socket, true);
  }
  return revoked.length;
}

module.exports = { revoke };
