'use strict';

/**
 * What becomes of an error of a handler: who is told of it on the server, and what the client gets.
 */

const { isNativeError } = require('util').types;
const { ERRORS } = require('./definitions');
const { LoopbackSocketError } = require('../errors');
const { guarded } = require('../events');
const { handlerFailed } = require('../observability/errors');

/** What kind of handler an error comes from. */
const ErrorKind = Object.freeze({
  AUTHENTICATION: 'authentication',
  CONNECTED: 'connected',
  METHOD: 'method',
  SUBSCRIPTION: 'subscription',
  AUTHORIZE: 'authorize',
  VALIDATE: 'validate',
  INTERCEPTOR: 'interceptor',
  CLIENT_ADDRESS: 'clientAddress',
});

/**
 * Tells the listeners of an instance of an error. What a listener throws becomes an uncaught exception,
 * as with any emitter.
 *
 * @param {import('./definitions').Definitions} definitions those of the instance
 * @param {unknown} error what a handler threw, rejected with or called back with
 * @param {string} kind one of `ErrorKind`
 * @param {object | null} socket the socket that the handler ran for; `null` for a source that several share
 * @param {string} [name] the method or subscription
 * @returns {void}
 */
function reportError(definitions, error, kind, socket, name) {
  handlerFailed(error, kind, socket, name, definitions.errorListeners.length > 0);
  for (const listener of definitions.errorListeners) {
    guarded(() => listener(error, { socket, name, kind }));
  }
}

/**
 * What a client gets for an error.
 *
 * @param {import('./definitions').Definitions} definitions those of the instance
 * @param {unknown} error what a handler failed with
 * @returns {unknown} the error itself, as JSON makes of it; with the option `errors: 'message'`, and of errors of
 *   this package that are for clients, the message and the code, unless it has a `toJSON` of its own
 */
function clientError(definitions, error) {
  try {
    const isForPeer = error instanceof LoopbackSocketError && error.constructor.isOfPeer;
    if (definitions.errors !== ERRORS.MESSAGE && !isForPeer) {
      return error;
    }
    if (!(isNativeError(error) || error instanceof Error) || typeof error.toJSON === 'function') {
      return error;
    }
    const { message, code } = error;
    return code === undefined ? { message } : { message, code };
  } catch {
    // A getter that throws; the error cannot be sent as it is either.
    return error;
  }
}

module.exports = { ErrorKind, clientError, reportError };
