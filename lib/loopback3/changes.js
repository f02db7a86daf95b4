'use strict';

/**
 * `Model.changes`: the subscription to the changes of a model. Its sources are shared: one for each `where`.
 *
 * What must stay true: who may not read the model, gets none of its changes; who may read what they own, gets
 * the changes of that.
 */

const { promisify } = require('util');
const { RemoteMethodError } = require('../errors');
const { findToken } = require('./access-token');
const { distribute, placesOf } = require('./arguments');
const { hiddenOf } = require('./hidden');
const { observersOf } = require('./observers');
const { isAllowedToOwners, isOwner } = require('./ownership');
const { restError, runInContext } = require('./remote-call');
const { makeRequest } = require('./request');
const { InvalidWhere, compileWhere } = require('./where');

/** The verb of the REST route of the method that gives changes. */
const VERB = 'POST';

/** How long the key of a source may be: the `where` as JSON. */
const MAX_KEY_LENGTH = 10_000;

/** What access control refuses with, as opposed to what fails otherwise. */
const REFUSALS = new Set(['AUTHORIZATION_REQUIRED', 'ACCESS_DENIED', 'MODEL_NOT_FOUND']);

class ModelChanges {
  /** The names of the model and of the subscription. */
  modelName;
  name;
  #exposure;
  #Model;
  #method;
  /** What is called in the place of the method: authorization and hooks as for it, and nothing else. */
  #probe;
  #isAllowedToOwners;
  /**
   * @type {WeakMap<object, {user?: import('./ownership').User, accessToken?: object}>} by socket: which access
   *   it has; with a user, to what the user owns
   */
  #access = new WeakMap();
  /** @type {WeakMap<object, import('./observers').Change>} the change that an item tells of */
  #changes = new WeakMap();

  /**
   * @param {import('./remote-call').Exposure} exposure the application
   * @param {object} method the SharedMethod `createChangeStream` of the model
   */
  constructor(exposure, method) {
    this.modelName = method.sharedClass.name;
    this.name = `${this.modelName}.changes`;
    this.#exposure = exposure;
    this.#Model = method.ctor;
    this.#method = method;
    this.#isAllowedToOwners = isAllowedToOwners(this.#Model, method);
    this.#probe = Object.create(method, {
      streams: { value: undefined },
      invoke: { value: (scope, args, options, ctx, cb) => cb(null, undefined) },
    });
  }

  /**
   * What it is defined with.
   *
   * @returns {{handler: Function, options: object}} for `defineSubscription()`
   */
  get definition() {
    const options = {
      key: (args) => this.#keyOf(args),
      authorize: (socket, credentials, args) => this.#authorize(socket, credentials, args),
    };
    if (this.#isAllowedToOwners) {
      options.authorizeItem = (socket, item) => this.#authorizeItem(socket, item);
    }
    const handler = (socket, credentials, { where }) => this.#sourceOf(where);
    return { handler, options };
  }

  /**
   * @param {unknown} args what the client sent
   * @returns {{key: string, args: {where: object | undefined}}} the key of its source
   * @throws {RemoteMethodError} if the arguments are impossible
   */
  #keyOf(args) {
    const where = args?.where ?? undefined;
    try {
      if (this.#compile(where) === undefined) {
        return { key: '', args: { where: undefined } };
      }
      const key = JSON.stringify(sorted(where));
      if (key.length > MAX_KEY_LENGTH) {
        throw new InvalidWhere('`where` is too long');
      }
      return { key, args: { where } };
    } catch (error) {
      if (error instanceof InvalidWhere) {
        const { message } = error;
        throw new RemoteMethodError({ statusCode: 400, name: 'Error', message }, error);
      }
      throw error;
    }
  }

  /**
   * @param {object} [where] a filter
   * @returns {import('./where').Matcher | undefined} whether data matches it
   */
  #compile(where) {
    const { properties } = this.#Model.definition;
    const hidden = hiddenOf(this.#Model);
    return compileWhere(where, (name) => {
      if (hidden.includes(name)) {
        return null;
      }
      return Object.hasOwn(properties, name) ? properties[name].type : undefined;
    });
  }

  /**
   * @param {object} [where] a filter
   * @returns {{on: Function, off: Function}} what emits the changes that match as `data`
   */
  #sourceOf(where) {
    const matches = this.#compile(where);
    const needsInstances = matches !== undefined || this.#isAllowedToOwners;
    let stop;
    return {
      on: (event, listener) => {
        if (event === 'data') {
          stop = observersOf(this.#Model).listen((change) => {
            if (isMatch(change, matches)) {
              this.#changes.set(change.item, change);
              listener(change.item);
            }
          }, needsInstances);
        }
      },
      off: (event) => {
        if (event === 'data') {
          stop?.();
        }
      },
    };
  }

  /**
   * Checks whether a client may subscribe, as REST checks `createChangeStream`.
   *
   * @param {object} socket the socket
   * @param {unknown} credentials those it authenticated with
   * @param {unknown} args what the client sent
   * @returns {Promise<true>} whether it may
   * @throws {RemoteMethodError} if not: the error that REST sends
   */
  async #authorize(socket, credentials, args) {
    const { app, accessToken: accessTokenOf } = this.#exposure;
    let accessToken = null;
    try {
      accessToken = await findToken(app, accessTokenOf, socket, credentials);
      try {
        await runInContext(app, this.#probe, this.#request(socket, accessToken, args));
        this.#access.set(socket, {});
      } catch (error) {
        const { userId, principalType } = accessToken ?? {};
        if (!this.#isAllowedToOwners || !REFUSALS.has(error?.code) || !userId) {
          throw error;
        }
        this.#access.set(socket, { user: { userId, principalType }, accessToken });
      }
      return true;
    } catch (error) {
      throw error instanceof RemoteMethodError
        ? error
        : await restError(app, error, this.#request(socket, accessToken));
    }
  }

  /**
   * @param {object} socket the socket
   * @param {object} item an item
   * @returns {Promise<boolean>} whether its client may have it
   */
  async #authorizeItem(socket, item) {
    const access = this.#access.get(socket);
    if (access === undefined) {
      return false;
    }
    const { user, accessToken } = access;
    if (user === undefined) {
      return true;
    }
    const { instances, target } = this.#changes.get(item) ?? {};
    const isOwned = instances?.every((instance) => isOwner(this.#Model, instance, user));
    if (!isOwned || instances.length === 0) {
      return false;
    }
    if (item.type === 'remove') {
      return true;
    }
    // Other ACLs may refuse what those for owners allow.
    const check = promisify(this.#Model.checkAccess).bind(this.#Model);
    const { req } = this.#request(socket, accessToken);
    return check(accessToken, target, this.#method, { req, method: this.#method });
  }

  /**
   * @param {object} socket the socket
   * @param {object | null} accessToken its access token
   * @param {unknown} [args] what the client sent
   * @returns {{req: object, res: object}} a request for the changes
   */
  #request(socket, accessToken, args) {
    const places = placesOf(this.#method, VERB);
    return makeRequest(this.#exposure.app, {
      socket,
      name: this.name,
      verb: VERB,
      accessToken,
      args: distribute(places, { options: { where: args?.where } }),
    });
  }
}

/**
 * @param {import('./observers').Change} change a change
 * @param {import('./where').Matcher} [matches] whether data matches
 * @returns {boolean} whether a subscriber gets it: also if it is about instances that are not known
 */
function isMatch(change, matches) {
  const { item, instances } = change;
  if (matches === undefined || instances === undefined) {
    return true;
  }
  return item.type === 'remove' ? change.plainInstances.some(matches) : matches(item.data);
}

/**
 * @param {unknown} value a value of JSON
 * @returns {unknown} the same, the properties of its objects in one order
 */
function sorted(value) {
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  if (Array.isArray(value)) {
    return value.map(sorted);
  }
  const names = Object.keys(value).sort();
  return Object.fromEntries(names.map((name) => [name, sorted(value[name])]));
}

/**
 * @param {object} app the LoopBack application
 * @returns {{method: object, isShared: boolean}[]} the methods that give the changes of its public models
 */
function changeMethodsOf(app) {
  return app
    .remotes()
    .classes()
    .filter(({ ctor }) => typeof ctor?.observe === 'function')
    .flatMap((sharedClass) => {
      const method = sharedClass
        .methods({ includeDisabled: true })
        .find(({ name, isStatic }) => isStatic && name === 'createChangeStream');
      return method === undefined
        ? []
        : [{ method, isShared: sharedClass.isMethodEnabled(method) }];
    });
}

module.exports = { ModelChanges, changeMethodsOf };
