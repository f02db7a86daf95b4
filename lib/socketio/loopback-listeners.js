'use strict';

/**
 * The methods of each LoopbackSocket, and what begins an attempt to authenticate, as listeners of a
 * native socket. On a hosted server they are listeners. On the native server Rust knows them by name, and
 * an application that asks for the listeners of a socket gets functions in their place, always the same
 * ones.
 *
 * What must stay true: a socket costs nothing here until the application asks for its listeners.
 */

const { EMITTER_EVENTS } = require('../events');
const { answer } = require('../calls/invoke');
const loopback = require('./loopback');

/** The event with which a client hands in its credentials. */
const AUTHENTICATION = 'authentication';

/** Handlers run in a microtask, after all listeners of the event that caused them. */
const resolved = Promise.resolve();

/**
 * A listener that a socket has of its own.
 *
 * @typedef {object} OwnListener
 * @property {Function} listener what the application gets
 * @property {import('./socket').Socket} socket its socket
 * @property {number} instance the number of its LoopbackSocket
 * @property {string} name the event
 * @property {boolean} isMethod whether it is a method; else it begins an attempt to authenticate
 * @property {boolean} isRemoved whether the application has removed it
 * @property {import('../auth/authenticate').BoundMethod | undefined} method the method as it was bound
 *   last; `undefined` if it is bound no more
 * @property {unknown} credentials those it was bound with
 */

/** @type {WeakMap<object, Map<string, OwnListener>>} of each socket, by what they stand for */
const known = new WeakMap();

/** @type {WeakMap<Function, OwnListener>} by its function */
const byFunction = new WeakMap();

/**
 * @param {import('./socket').Socket} socket a socket
 * @param {unknown} event an event
 * @returns {OwnListener[]} its own listeners of the event, without those that were removed
 */
function ownListeners(socket, event) {
  if (typeof event === 'symbol' || !socket.connected) {
    return [];
  }
  const name = String(event);
  const found = [];
  if (name === AUTHENTICATION) {
    socket._instances.forEach((_, instance) => {
      const own = ownListener(socket, instance, name, false);
      if (!own.isRemoved) {
        found.push(own);
      }
    });
  }
  socket._bound.forEach((bound, instance) => {
    const method = methodNamed(bound, name);
    if (method !== undefined) {
      const own = ownListener(socket, instance, name, true);
      own.method = method;
      own.credentials = bound.credentials;
      found.push(own);
    }
  });
  return found;
}

/**
 * @param {import('./socket').Socket} socket a socket
 * @param {unknown} event an event
 * @returns {Function[]} the same as functions
 */
function ownFunctions(socket, event) {
  return ownListeners(socket, event).map(({ listener }) => listener);
}

/**
 * @param {import('./socket').Socket} socket a socket
 * @param {unknown} event an event
 * @returns {number} how many own listeners of the event it has
 */
function countOwn(socket, event) {
  if (typeof event === 'symbol' || !socket.connected) {
    return 0;
  }
  const name = String(event);
  const attempts =
    name === AUTHENTICATION
      ? socket._instances.filter((_, i) => !isAuthenticationRemoved(socket, i)).length
      : 0;
  return attempts + socket._bound.filter((bound) => methodNamed(bound, name)).length;
}

/**
 * @param {import('./socket').Socket} socket a socket
 * @returns {string[]} the events of which it has own listeners
 */
function ownNames(socket) {
  const names = countOwn(socket, AUTHENTICATION) > 0 ? [AUTHENTICATION] : [];
  if (socket.connected) {
    for (const bound of socket._bound) {
      bound?.methods.forEach(({ name }) => EMITTER_EVENTS.has(name) || names.push(name));
    }
  }
  return names;
}

/**
 * Removes an own listener, as the application has it.
 *
 * @param {import('./socket').Socket} socket a socket
 * @param {unknown} event an event
 * @param {unknown} listener a function
 * @returns {boolean} whether it was one of the socket's own of that event
 */
function removeOwn(socket, event, listener) {
  const own = typeof listener === 'function' ? byFunction.get(listener) : undefined;
  if (own === undefined || !ownListeners(socket, event).includes(own)) {
    return false;
  }
  remove(own);
  return true;
}

/**
 * Removes all own listeners of an event, or of all events.
 *
 * @param {import('./socket').Socket} socket a socket
 * @param {unknown[]} events the events
 * @returns {void}
 */
function removeAllOwn(socket, events) {
  events.flatMap((event) => ownListeners(socket, event)).forEach(remove);
}

/**
 * @param {OwnListener} own what the application removes
 * @returns {void}
 */
function remove(own) {
  const { socket, instance, name, isMethod } = own;
  if (isMethod) {
    const bound = socket._bound[instance];
    bound.methods = bound.methods.filter((method) => method.name !== name);
  } else {
    own.isRemoved = true;
  }
}

/**
 * A LoopbackSocket has bound methods, in the place of others.
 *
 * @param {import('./socket').Socket} socket a socket
 * @param {number} instance the number of the LoopbackSocket
 * @returns {void}
 */
function methodsBound(socket, instance) {
  const bound = socket._bound[instance];
  for (const own of known.get(socket)?.values() ?? []) {
    if (own.isMethod && own.instance === instance) {
      own.method = methodNamed(bound, own.name);
      own.credentials = bound.credentials;
    }
  }
}

/**
 * @param {import('./socket').Socket} socket a socket
 * @param {number} instance the number of a LoopbackSocket
 * @returns {boolean} whether the application has removed what begins its attempts to authenticate
 */
function isAuthenticationRemoved(socket, instance) {
  return known.get(socket)?.get(keyOf(instance, AUTHENTICATION, false))?.isRemoved === true;
}

/**
 * @param {import('./socket').Socket} socket a socket
 * @param {number} instance the number of a LoopbackSocket
 * @param {string} name an event
 * @param {boolean} isMethod whether it is a method
 * @returns {OwnListener} what stands for it, made on first use
 */
function ownListener(socket, instance, name, isMethod) {
  let all = known.get(socket);
  if (all === undefined) {
    known.set(socket, (all = new Map()));
  }
  const key = keyOf(instance, name, isMethod);
  let own = all.get(key);
  if (own === undefined) {
    own = { listener: undefined, socket, instance, name, isMethod, isRemoved: false };
    own.listener = isMethod
      ? (...args) => callMethod(own, args)
      : (credentials) => beginAttempt(own, credentials);
    all.set(key, own);
    byFunction.set(own.listener, own);
  }
  return own;
}

/**
 * @param {number} instance the number of a LoopbackSocket
 * @param {string} name an event
 * @param {boolean} isMethod whether it is a method
 * @returns {string} what a listener stands for
 */
function keyOf(instance, name, isMethod) {
  return `${isMethod ? 'method' : 'attempt'} ${instance} ${name}`;
}

/**
 * @param {{methods: import('../auth/authenticate').BoundMethod[]} | undefined} bound what a LoopbackSocket
 *   bound
 * @param {string} name an event
 * @returns {import('../auth/authenticate').BoundMethod | undefined} the method that listens to it
 */
function methodNamed(bound, name) {
  return EMITTER_EVENTS.has(name) ? undefined : bound?.methods.find((one) => one.name === name);
}

/**
 * The application calls the listener that stands for a method.
 *
 * @param {OwnListener} own which
 * @param {unknown[]} args what a client sends: what the method is for, an acknowledgement last
 * @returns {void}
 */
function callMethod({ socket, instance, method, credentials }, args) {
  if (method === undefined) {
    return;
  }
  const ack = typeof args.at(-1) === 'function' ? args.pop() : undefined;
  const settle = (failed, value) =>
    ack !== undefined && socket.connected ? answer(ack, failed, value) : undefined;
  resolved.then(() => socket._runBound(instance, method, credentials, args[0], args[1], settle));
}

/**
 * The application calls the listener that begins an attempt to authenticate.
 *
 * @param {OwnListener} own which
 * @param {unknown} credentials what a client hands in
 * @returns {void}
 */
function beginAttempt({ socket, instance }, credentials) {
  const given = typeof credentials === 'function' ? undefined : credentials;
  resolved.then(() => {
    if (socket.connected) {
      loopback.attempt(socket, instance, given);
    }
  });
}

module.exports = {
  countOwn,
  isAuthenticationRemoved,
  methodsBound,
  ownFunctions,
  ownNames,
  removeAllOwn,
  removeOwn,
};
