'use strict';

/**
 * An API that is defined in one place: an authentication function, methods and subscriptions, to be given
 * to an instance together. Its types are inferred, and the client uses them.
 */

const { checkOptions } = require('./check-options');
const { InvalidOptionError, NameInUseError } = require('./errors');

/** What each part of an API needs, and what it is without. */
const PARTS = {
  auth: { fallback: undefined, check: isHandler, needs: 'a function or { model, method }' },
  onConnected: { fallback: undefined, check: isHandler, needs: 'a function or { model, method }' },
  methods: {
    fallback: {},
    check: isObject,
    needs: 'an object of methods',
    entry: isMethod,
    entryNeeds: 'a function, { model, method, …options } or { handler, …options }',
  },
  subscriptions: {
    fallback: {},
    check: isObject,
    needs: 'an object of subscriptions',
    entry: isEntry,
    entryNeeds:
      'a function, { model, method, …options }, or { handler, …options } where the handler may be left out',
  },
};

/** What `defineApi()` gives. */
class DefinedApi {
  /**
   * @param {object} definition see `defineApi()`
   */
  constructor(definition) {
    const whose = 'defineApi()';
    const parts = checkOptions(PARTS, definition, whose, `the argument of ${whose}`);
    for (const part of ['methods', 'subscriptions']) {
      const { entry: isPossible, entryNeeds } = PARTS[part];
      for (const [name, given] of Object.entries(parts[part])) {
        if (!isPossible(given)) {
          throw new InvalidOptionError(`${part}.${name}`, given, entryNeeds, undefined, whose);
        }
      }
    }
    this.auth = parts.auth;
    this.onConnected = parts.onConnected;
    /** @type {Array<{name: string, handler: unknown, options: object | undefined}>} */
    this.methods = Object.entries(parts.methods).map(entryOf);
    /** @type {Array<{name: string, handler: unknown, options: object | undefined}>} */
    this.subscriptions = Object.entries(parts.subscriptions).map(entryOf);
    for (const { name } of this.subscriptions) {
      if (Object.hasOwn(parts.methods, name)) {
        throw new NameInUseError(name, 'method', 'removeMethod()');
      }
    }
  }
}

/**
 * Defines an API for `define()`.
 *
 * @param {object} definition `auth`, `onConnected`, `methods` and `subscriptions`, all of which may be left
 *   out
 * @returns {DefinedApi} the same, checked
 * @throws {InvalidOptionError} if a part is unknown or impossible
 * @throws {NameInUseError} if a method and a subscription have the same name
 */
function defineApi(definition) {
  return new DefinedApi(definition);
}

/**
 * @param {unknown} api what was given to `define()`
 * @returns {DefinedApi} the same
 * @throws {InvalidOptionError} if it is not what `defineApi()` gives
 */
function definedApi(api) {
  if (!(api instanceof DefinedApi)) {
    throw new InvalidOptionError('api', api, 'what defineApi() returned');
  }
  return api;
}

/**
 * @param {[string, any]} entry a method or subscription as it was given, and its name
 * @returns {{name: string, handler: unknown, options: object | undefined}} what to define
 */
function entryOf([name, given]) {
  if (typeof given === 'function') {
    return { name, handler: given, options: undefined };
  }
  const { handler, model, method, ...options } = given;
  return {
    name,
    handler: model === undefined ? handler : { model, method },
    options: Object.keys(options).length === 0 ? undefined : options,
  };
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is an object by name
 */
function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is a handler
 */
function isHandler(value) {
  return typeof value === 'function' || (isObject(value) && Boolean(value.model));
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is a method of an API
 */
function isMethod(value) {
  return isHandler(value) || (isObject(value) && isHandler(value.handler));
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is a subscription of an API
 */
function isEntry(value) {
  return (
    isMethod(value) ||
    (isObject(value) && value.handler === undefined && !Object.hasOwn(value, 'model'))
  );
}

module.exports = { defineApi, definedApi };
