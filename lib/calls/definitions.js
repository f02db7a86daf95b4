'use strict';

/**
 * What an instance defines besides plain methods: options of methods, subscriptions, interceptors, and
 * listeners of errors.
 *
 * What must stay true: a name is that of a method or of a subscription, never of both.
 */

const { NameInUseError } = require('../errors');

/** How errors of handlers are sent: as in 0.4, by their own fields, or by message and code. */
const ERRORS = Object.freeze({ FIELDS: 'fields', MESSAGE: 'message' });

class Definitions {
  /** @type {Map<string, object>} the options of methods that have any, by the name of the method */
  methodOptions = new Map();
  /** @type {Map<string, object>} subscriptions by name */
  subscriptions = new Map();
  /** @type {Function[]} what runs around calls and subscriptions, the outermost first */
  interceptors = [];
  /** @type {Function[]} what is told of errors of handlers */
  errorListeners = [];
  /** How errors are sent, one of `ERRORS`. */
  errors = ERRORS.FIELDS;

  /**
   * Checks that a name is free for a method.
   *
   * @param {string} name the name
   * @returns {void}
   * @throws {NameInUseError} if a subscription has it
   */
  checkMethodName(name) {
    if (this.subscriptions.has(name)) {
      throw new NameInUseError(name, 'subscription', 'removeSubscription()');
    }
  }

  /**
   * Checks that a name is free for a subscription.
   *
   * @param {string} name the name
   * @param {object} methods the methods of the instance, by name
   * @returns {void}
   * @throws {NameInUseError} if a method has it
   */
  checkSubscriptionName(name, methods) {
    if (Object.hasOwn(methods, name)) {
      throw new NameInUseError(name, 'method', 'removeMethod()');
    }
  }
}

module.exports = { Definitions, ERRORS };
