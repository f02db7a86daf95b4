'use strict';

/**
 * The public class: what the application registers, by name, and where it is served.
 */

const net = require('net');
const hosted = require('./hosted/hosted');
const { Definitions } = require('./calls/definitions');
const { instanceMetrics } = require('./calls/instance-metrics');
const { instanceOptions } = require('./calls/instance-options');
const { resolveHandler } = require('./calls/invoke');
const { methodOptions } = require('./calls/method-options');
const {
  InvalidCallbackError,
  InvalidHostError,
  InvalidNameError,
  InvalidOptionError,
  NoSharedSourceError,
} = require('./errors');
const { defineApi, definedApi } = require('./define-api');
const { subscriptionName } = require('./events');
const { kindOf } = require('./host-kinds');
const { revoke } = require('./auth/revoke');
const { startOptions } = require('./auth/start-options');
const { exposeModels } = require('./loopback3/expose');
const { SubscriptionDefinition, handlerAndOptions } = require('./subscriptions/definition');
const { resumed, tracked } = require('./subscriptions/item-ids');
const { DEFAULT_TIMEOUT } = require('./auth/timeout');

/** A server of our own serves an instance by its method of this name. */
const SERVE = Symbol.for('loopback-socket.serve');

/** The class of those servers has one for an http.Server by its method of this name. */
const SERVER_ON = Symbol.for('loopback-socket.server-on');

/** @type {Map<string, LoopbackSocket>} */
const instances = new Map();

/**
 * Authenticates sockets and lets their clients call methods.
 *
 * @class
 * @param {string} name the name of the instance
 * @param {number | string | {timeout?: number | string, errors?: 'fields' | 'message', slowAfter?: number}}
 *   [options=3000] milliseconds that a socket has to authenticate before its connection is closed, `'none'` for
 *   ever; or an object with that, with how errors of handlers are sent, and after how many ms a call is slow
 * @throws {InvalidOptionError} if an option is unknown or impossible
 */
function LoopbackSocket(name, options) {
  if (!(this instanceof LoopbackSocket)) {
    return new LoopbackSocket(name, options);
  }
  const { timeout, ...others } = instanceOptions(options);
  this._name = name;
  this._timeout = timeout || DEFAULT_TIMEOUT;
  this._methods = {};
  this._connected = [];
  this._sockets = [];
  this._io = null;
  this._auth = () => {};
  // Not enumerable: 0.4 has no such field.
  Object.defineProperty(this, '_definitions', { value: new Definitions(others) });
}

/**
 * Gives the instance of a name, made on first use.
 *
 * @param {string} name the name
 * @param {number | string | object} [options] as for the constructor; counts on first use only
 * @returns {LoopbackSocket} always the same one for a name
 * @throws {InvalidNameError} if the name is not a string
 * @throws {InvalidOptionError} if an option is unknown or impossible
 */
LoopbackSocket.get = function get(name, options) {
  if (typeof name !== 'string') {
    throw new InvalidNameError(name);
  }
  let instance = instances.get(name);
  if (instance === undefined) {
    instance = new LoopbackSocket(name, options);
    instances.set(name, instance);
  }
  return instance;
};

/**
 * Sets the authentication function, `(socket, credentials[, cb])`. A false value other than
 * `undefined`, a throw, a rejection or `cb(err)` refuses the socket.
 *
 * @param {Function | {model: object, method: string}} auth replaces the one before; looked up
 *   when credentials arrive
 * @returns {void}
 */
LoopbackSocket.prototype.auth = function auth(auth) {
  this._auth = auth;
};

/**
 * Appends a handler, `(socket, credentials[, cb])`, that runs after each successful
 * authentication and before the client learns of it. If it fails, the socket is refused.
 *
 * @param {Function | {model: object, method: string}} handler looked up when it runs
 * @returns {void}
 */
LoopbackSocket.prototype.onConnected = function onConnected(handler) {
  this._connected.push(handler);
};

/**
 * Removes the first `onConnected` handler that is the given one: the same function or reference, an
 * equal reference, or a reference to the same function.
 *
 * @param {Function | {model: object, method: string}} handler the handler
 * @returns {void}
 */
LoopbackSocket.prototype.removeOnConnected = function removeOnConnected(handler) {
  const index = this._connected.findIndex((registered) => isSameHandler(registered, handler));
  if (index !== -1) {
    this._connected.splice(index, 1);
  }
};

/**
 * Defines or replaces a method, `(socket, credentials, args[, cb])`, of the sockets that
 * authenticate from now on.
 *
 * @param {string} methodName any name
 * @param {Function | {model: object, method: string}} method looked up when a socket authenticates
 * @param {import('./calls/method-options').MethodOptions} [options] who may call, with what, how often
 *   and for how long; without, as in 0.4
 * @returns {void}
 * @throws {NameInUseError} if a subscription has the name
 * @throws {InvalidOptionError} if an option is unknown or impossible
 */
LoopbackSocket.prototype.defineMethod = function defineMethod(methodName, method, options) {
  this._definitions.checkMethodName(methodName);
  const name = String(methodName);
  const checked = options === undefined ? undefined : methodOptions(name, options);
  this._definitions.setMethodOptions(name, checked);
  // Not an assignment: that would take `__proto__` for something else than a name.
  Object.defineProperty(this._methods, methodName, {
    value: method,
    configurable: true,
    enumerable: true,
    writable: true,
  });
};

/**
 * Defines everything of an API: its authentication function, its handler for connected sockets, its
 * methods and its subscriptions.
 *
 * @param {object} api what `defineApi()` gave
 * @returns {LoopbackSocket} this instance, whose type is that of the API
 * @throws {InvalidOptionError} if it is something else, or one of its options is unknown or impossible
 */
LoopbackSocket.prototype.define = function define(api) {
  const { auth, onConnected, methods, subscriptions } = definedApi(api);
  methods.forEach(({ name, handler, options }) => this.defineMethod(name, handler, options));
  subscriptions.forEach(({ name, handler, options }) =>
    this.defineSubscription(name, handler, options),
  );
  if (auth !== undefined) {
    this.auth(auth);
  }
  if (onConnected !== undefined) {
    this.onConnected(onConnected);
  }
  return this;
};

/** Defines an API in one place, for `define()`. */
LoopbackSocket.defineApi = defineApi;

/**
 * Removes a method for the sockets that authenticate from now on.
 *
 * @param {string} methodName the name
 * @returns {void}
 */
LoopbackSocket.prototype.removeMethod = function removeMethod(methodName) {
  delete this._methods[methodName];
  this._definitions.setMethodOptions(String(methodName), undefined);
};

/**
 * Adds an interceptor, `async (call, next)`, around the calls and subscriptions of all sockets, from now
 * on. It runs within those there are. `next()` runs the rest and gives the result; what the interceptor
 * returns takes its place, unless that is `undefined`.
 *
 * @param {Function} interceptor the interceptor
 * @returns {() => void} removes it
 * @throws {InvalidCallbackError} if it is not a function
 */
LoopbackSocket.prototype.use = function use(interceptor) {
  return this._definitions.addInterceptor(checkedCallback(interceptor));
};

/**
 * Adds a listener, `(error, { socket, name, kind })`, for whatever a handler throws, rejects with or calls
 * back with, whether or not a client gets it.
 *
 * @param {Function} listener the listener
 * @returns {() => void} removes it
 * @throws {InvalidCallbackError} if it is not a function
 */
LoopbackSocket.prototype.onError = function onError(listener) {
  return this._definitions.addErrorListener(checkedCallback(listener));
};

/**
 * Lets clients call the remote methods of a LoopBack 3 application, by the names `Model.method` and
 * `Model.prototype.method`, with the coercion, hooks and access control of REST.
 *
 * @param {object} app the LoopBack 3 application
 * @param {object} [options] which models and methods, and whose access token a call has
 * @returns {void}
 * @throws {InvalidApplicationError} if it is not a LoopBack 3 application
 * @throws {InvalidOptionError} if an option is unknown or impossible
 * @throws {UnsupportedRemoteMethodError} if an option names a method that cannot be called over a socket
 */
LoopbackSocket.prototype.exposeModels = function (app, options) {
  exposeModels(this, app, options);
};

/**
 * Defines or replaces a subscription of the sockets that authenticate from now on. What it replaces is
 * removed.
 *
 * @param {string} name any name that no method has
 * @param {Function | {model: object, method: string}} [handler] gives a source,
 *   `(socket, credentials, args, { signal, after }[, cb])`; looked up when it is needed. Without, `publish`
 *   feeds the sources
 * @param {object} [options] see `docs/subscriptions.md`
 * @returns {void}
 * @throws {ReservedEventError} if the socket itself sends clients an event of that name, or gets one, or if it is `error`
 * @throws {NameInUseError} if a method has the name
 * @throws {InvalidHandlerError} if the handler is none
 * @throws {InvalidOptionError} if an option is unknown or impossible
 */
LoopbackSocket.prototype.defineSubscription = function defineSubscription(name, ...args) {
  const { handler, options } = handlerAndOptions(args);
  const event = subscriptionName(name);
  this._definitions.checkSubscriptionName(event, this._methods);
  const definition = new SubscriptionDefinition(this, event, handler, options);
  const { subscriptions } = this._definitions;
  const replaced = subscriptions.get(definition.name);
  subscriptions.set(definition.name, definition);
  replaced?.remove();
};

/**
 * Removes a subscription: those that clients have end with the reason `removed`.
 *
 * @param {string} name the name
 * @returns {void}
 */
LoopbackSocket.prototype.removeSubscription = function removeSubscription(name) {
  const { subscriptions } = this._definitions;
  const removed = subscriptions.get(String(name));
  subscriptions.delete(String(name));
  removed?.remove();
};

/**
 * Sends an item to all subscribers of a shared source.
 *
 * @param {string} name the subscription
 * @param {{key?: string}} [source] the source; it has no key if the subscription was defined without
 * @param {unknown} item the item
 * @returns {boolean} whether there is such a source: none if nobody has subscribed
 * @throws {NoSharedSourceError} if there is no such subscription, or its sources are private
 * @throws {InvalidOptionError} if the key is not a string, or there should be none
 * @throws {UnsendableValueError} if the item cannot be sent
 */
LoopbackSocket.prototype.publish = function publish(name, source, item) {
  const definition = this._definitions.subscriptions.get(String(name));
  if (!definition?.isShared) {
    throw new NoSharedSourceError(String(name), definition !== undefined);
  }
  const key = definition.options.key === undefined ? (source?.key ?? '') : source?.key;
  if (typeof key !== 'string') {
    throw new InvalidOptionError('key', key, 'a string, as in publish(name, { key }, item)');
  }
  if (key !== '' && definition.options.key === undefined) {
    throw new InvalidOptionError('key', key, `left out: "${name}" was defined without a key`);
  }
  return definition.sources.publish(key, item);
};

/**
 * An item of a private source with an id, which a client that comes back hands in as `after`.
 *
 * @param {string | number} id the id
 * @param {unknown} item the item
 * @returns {object} what a handler yields
 */
LoopbackSocket.tracked = tracked;

/**
 * Says that a private source continues after the id that the client handed in.
 *
 * @param {unknown} source what a handler would give without
 * @returns {object} what it gives
 */
LoopbackSocket.resumed = resumed;

/**
 * Revokes the authentication of sockets: their subscriptions end, their clients get `unauthorized`, and
 * their connections are closed.
 *
 * @param {(socket: object, credentials: unknown) => unknown} filter says which; it is asked for every socket
 *   that has authenticated, wherever the instance was started
 * @returns {number} how many were revoked
 * @throws {InvalidCallbackError} if it is not a function
 * @throws {InvalidOptionError} if it gives a promise
 */
LoopbackSocket.prototype.revoke = function revokeSockets(filter) {
  return revoke(this, filter);
};

/**
 * The figures of the instance, wherever it was started: sockets, attempts to authenticate, calls and
 * subscriptions. Calls are measured from the first time on.
 *
 * @returns {object} see `docs/metrics.md`
 */
LoopbackSocket.prototype.metrics = function metrics() {
  return instanceMetrics(this);
};

/**
 * Serves the sockets that connect to `io` from now on. May be called for several; twice for the
 * same one is once.
 *
 * @param {object | number | string} io a `LoopbackSocket.Server`, a Socket.IO server of version 2 to 4, a
 *   namespace of either, or an emitter of `connection` events that looks like one; an http(s).Server
 *   or a port makes a `LoopbackSocket.Server` of its own
 * @param {import('./auth/start-options').StartOptions} [options] which namespaces of a whole server are left
 *   out, and how much a client may try
 * @returns {void}
 * @throws {InvalidHostError} if it is nothing of these
 * @throws {InvalidOptionError} if an option is unknown or impossible
 */
LoopbackSocket.prototype.start = function start(io, options) {
  const checked = startOptions(options);
  const host = io instanceof net.Server || isPort(io) ? nativeServer(io) : io;
  const serve = host == null ? undefined : host[SERVE];
  if (typeof serve === 'function') {
    this._io = host;
    serve.call(host, this, checked);
    return;
  }
  const kind = kindOf(host);
  if (host == null || typeof host.on !== 'function' || kind !== undefined) {
    throw new InvalidHostError(io, kind);
  }
  this._io = host;
  hosted.serve(host, this, checked);
};

/**
 * @param {unknown} callback what the application gave
 * @returns {Function} the same
 * @throws {InvalidCallbackError} if it is not a function
 */
function checkedCallback(callback) {
  if (typeof callback !== 'function') {
    throw new InvalidCallbackError(callback);
  }
  return callback;
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is a port: a number, or its digits as an environment variable has it
 */
function isPort(value) {
  return typeof value === 'number' || (typeof value === 'string' && /^\d+$/.test(value));
}

/**
 * Gives the native server of an http(s).Server, made on first use and after it was closed, or a new
 * one on a port.
 *
 * @param {net.Server | number | string} listener where to take connections from
 * @returns {object} a `LoopbackSocket.Server`
 */
function nativeServer(listener) {
  const Server = require('./http/server');
  return isPort(listener) ? new Server(listener) : Server[SERVER_ON](listener);
}

/**
 * @param {unknown} registered a handler as it was added
 * @param {unknown} given a handler as it is to be removed
 * @returns {boolean} whether they mean the same one
 */
function isSameHandler(registered, given) {
  if (registered === given) {
    return true;
  }
  if (typeof registered === 'function') {
    return isReference(given) && resolveHandler(given).fn === registered;
  }
  if (!isReference(registered)) {
    return false;
  }
  return typeof given === 'function'
    ? resolveHandler(registered).fn === given
    : isReference(given) && registered.model === given.model && registered.method === given.method;
}

/**
 * @param {unknown} handler a handler as it was given
 * @returns {boolean} whether it names a method of a model
 */
function isReference(handler) {
  return typeof handler === 'object' && handler !== null && Boolean(handler.model);
}

module.exports = LoopbackSocket;
