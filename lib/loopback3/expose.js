'use strict';

/**
 * `exposeModels()`: the remote methods of a LoopBack 3 application as methods of an instance. LoopBack
 * itself is not required: what is needed of it and of strong-remoting comes from the application, so
 * that both are the application's own copies.
 *
 * - `app.remotes()` has the classes, the hooks and the authorization.
 * - `app.handler('rest').adapter` is the adapter with which the application serves REST. Its `Context` is
 *   HttpContext, its `constructor.errorHandler` makes the error responses. The application makes a new
 *   handler when its remote methods change.
 * - `app.request` and `app.response` are the prototypes of Express's requests and responses.
 */

const { checkOptions } = require('../check-options');
const {
  InvalidApplicationError,
  InvalidOptionError,
  UnsupportedRemoteMethodError,
} = require('../errors');
const { warnOf } = require('../events');
const { tokenOfSocket } = require('./access-token');
const { ModelChanges, changeMethodsOf } = require('./changes');
const { callRemoteMethod } = require('./remote-call');
const { aliasesOf, refusalOf, remoteMethodsOf, sharedMethodsOf } = require('./remote-methods');

const isName = (value) => typeof value === 'string' && value !== '';

const RULES = {
  models: {
    fallback: undefined,
    check: (value) => Array.isArray(value) && value.every((one) => isName(one) || isModel(one)),
    needs: "an array of models or their names, such as ['Book']",
    complete: (models) =>
      new Set(models.map((model) => (isModel(model) ? model.modelName : model))),
  },
  methods: {
    fallback: undefined,
    check: (value) => Array.isArray(value) && value.every(isName),
    needs:
      "an array of names of remote methods, such as ['Book.find', 'Book.prototype.patchAttributes']",
    complete: (names) => new Set(names),
  },
  accessToken: {
    fallback: tokenOfSocket,
    check: (value) => typeof value === 'function',
    needs: 'a function (socket, credentials) that returns an access token, its id or nothing',
  },
};

/**
 * The remote methods of one application that an instance exposes, and the subscriptions to the changes of its
 * models.
 */
class ExposedModels {
  /** @type {Set<object>} the definitions of its subscriptions */
  subscriptions = new Set();
  #instance;
  #app;
  #selection;
  #exposure;
  /** The handler of REST that `#methods` is for. */
  #handler;
  #methods = [];

  /**
   * @param {import('../loopback-socket')} instance what exposes them
   * @param {object} app the LoopBack application
   * @param {object} options checked
   */
  constructor(instance, app, { models, methods, accessToken }) {
    this.#instance = instance;
    this.#app = app;
    this.#selection = { models, methods };
    this.#exposure = { app, accessToken };
    this.#defineChanges();
  }

  /**
   * The methods as they stand now.
   *
   * @returns {readonly {name: string, fn: Function}[]} always the same list while the remote methods of the
   *   application stay the same
   */
  methods() {
    try {
      const handler = this.#app.handler('rest');
      if (handler !== this.#handler) {
        const remotes = remoteMethodsOf(this.#app, handler.adapter, this.#selection);
        this.#methods = remotes.map((remote) => this.#bind(remote));
        this.#handler = handler;
        this.#defineChanges();
      }
    } catch (error) {
      // REST cannot be served either, and a client that authenticates is not to blame.
      warnOf(error);
    }
    return this.#methods;
  }

  /**
   * @param {import('./remote-methods').RemoteMethod} remote a remote method
   * @returns {{name: string, fn: Function}} it as a method of the instance
   */
  #bind(remote) {
    const fn = (socket, credentials, args) =>
      callRemoteMethod(this.#exposure, remote, socket, credentials, args);
    return { name: remote.name, fn };
  }

  /**
   * Defines the subscriptions of models that have come, and removes those of models whose changes the
   * application shares no more.
   *
   * @returns {void}
   */
  #defineChanges() {
    const { _definitions: definitions, _methods: methods } = this.#instance;
    const selected = changeMethodsOf(this.#app)
      .map(({ method, isShared }) => ({
        changes: new ModelChanges(this.#exposure, method),
        isShared,
      }))
      .filter((found) => this.#hasSelected(found));
    const names = new Set(selected.map(({ changes }) => changes.name));
    for (const definition of this.subscriptions) {
      if (definitions.subscriptions.get(definition.name) !== definition) {
        this.subscriptions.delete(definition);
      } else if (!names.has(definition.name)) {
        this.subscriptions.delete(definition);
        this.#instance.removeSubscription(definition.name);
      }
    }
    for (const { changes } of selected) {
      const { name } = changes;
      // A method or subscription of the application's own goes before.
      if (!definitions.subscriptions.has(name) && !Object.hasOwn(methods, name)) {
        const { handler, options } = changes.definition;
        this.#instance.defineSubscription(name, handler, options);
        this.subscriptions.add(definitions.subscriptions.get(name));
      }
    }
  }

  /**
   * @param {object} found the changes of a model
   * @param {ModelChanges} found.changes what they are
   * @param {boolean} found.isShared whether REST has them
   * @returns {boolean} whether they are exposed
   */
  #hasSelected({ changes, isShared }) {
    const { models, methods } = this.#selection;
    if (methods?.has(changes.name)) {
      return true;
    }
    return (
      isShared && (models === undefined ? methods === undefined : models.has(changes.modelName))
    );
  }
}

/**
 * Exposes the remote methods of an application.
 *
 * @param {import('../loopback-socket')} instance what exposes them
 * @param {unknown} app a LoopBack 3 application
 * @param {unknown} [given] options
 * @returns {void}
 * @throws {InvalidApplicationError} if it is not a LoopBack 3 application
 * @throws {InvalidOptionError} if an option is unknown or impossible, or names what the application
 *   does not have
 * @throws {UnsupportedRemoteMethodError} if an option names a method that cannot be called over a socket
 */
function exposeModels(instance, app, given) {
  if (!isApplication(app)) {
    throw new InvalidApplicationError(app);
  }
  const options = checkOptions(
    RULES,
    given,
    'exposeModels()',
    'the second argument of exposeModels()',
  );
  checkSelection(app, options);
  const { _definitions: definitions } = instance;
  definitions.exposures.push(new ExposedModels(instance, app, options));
}

/**
 * Checks that the application has what it is asked to expose.
 *
 * @param {object} app the LoopBack application
 * @param {import('./remote-methods').Selection} selection what the options name
 * @returns {void}
 */
function checkSelection(app, { models, methods }) {
  if (models === undefined && methods === undefined) {
    return;
  }
  const shared = sharedMethodsOf(app);
  const classes = new Set(
    app
      .remotes()
      .classes()
      .map(({ name }) => name),
  );
  for (const name of models ?? []) {
    if (!classes.has(name)) {
      throw new InvalidOptionError(
        'models',
        name,
        `names of public models of the application (call exposeModels() after boot): ${[...classes].join(', ')}`,
      );
    }
  }
  const byName = new Map();
  for (const method of shared) {
    [...aliasesOf(method), method.stringName].forEach((name) => byName.set(name, method));
  }
  const changes = new Set(
    changeMethodsOf(app).map(({ method }) => `${method.sharedClass.name}.changes`),
  );
  for (const name of methods ?? []) {
    if (changes.has(name)) {
      continue;
    }
    const method = byName.get(name);
    if (method === undefined) {
      throw new InvalidOptionError(
        'methods',
        name,
        'names of remote methods that the application shares (call exposeModels() after boot)',
      );
    }
    const refusal = refusalOf(method);
    if (refusal !== undefined) {
      throw new UnsupportedRemoteMethodError(name, refusal);
    }
  }
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is a model of LoopBack
 */
function isModel(value) {
  return typeof value === 'function' && isName(value.modelName);
}

/**
 * @param {unknown} app any value
 * @returns {boolean} whether it is a LoopBack 3 application
 */
function isApplication(app) {
  return (
    typeof app === 'function' &&
    ['remotes', 'handler', 'model', 'get'].every((name) => typeof app[name] === 'function') &&
    ['registry', 'request', 'response'].every((name) => typeof app[name] === 'object')
  );
}

module.exports = { ExposedModels, exposeModels };
