'use strict';

/**
 * What becomes of errors of sources, and of functions that an application gives a subscription.
 */

const handlerErrors = require('../calls/handler-errors');

const { ErrorKind } = handlerErrors;

/**
 * Tells the listeners of errors of an instance.
 *
 * @param {import('./definition').SubscriptionDefinition} definition the subscription
 * @param {unknown} error the error
 * @param {object | null} socket the socket that it concerns; `null` for a source that several share
 * @param {string} [kind='subscription'] of which handler
 * @returns {void}
 */
function reportError({ instance, name }, error, socket, kind = ErrorKind.SUBSCRIPTION) {
  handlerErrors.reportError(instance._definitions, error, kind, socket, name);
}

/**
 * @param {import('./definition').SubscriptionDefinition} definition the subscription
 * @param {unknown} error an error
 * @returns {unknown} what a client gets
 */
function clientError({ instance }, error) {
  return handlerErrors.clientError(instance._definitions, error);
}

module.exports = { ErrorKind, clientError, reportError };
