'use strict';

/**
 * LoopbackSockets on the native server: has the sockets of a namespace served, and is the host of
 * their attempts to authenticate. The session itself lives with the socket, in Rust.
 */

const { authenticate } = require('../auth/authenticate');
const { restoreExpires } = require('../auth/expiry');
const { delayOf } = require('../auth/timeout');
const { TooManyPendingError } = require('../errors');

const { NOTHING } = require('../native/protocol').SessionAnswer;

/** @type {WeakMap<object, WeakMap<object, {methods: object[], table: number}>>} by native server */
const tables = new WeakMap();

/**
 * The number under which the native server knows these methods; it is kept while their names stay
 * the same.
 *
 * @param {import('../../binding').NativeServer} native the native server
 * @param {import('../loopback-socket')} instance whose methods
 * @param {import('../auth/authenticate').BoundMethod[]} methods the methods
 * @returns {number} the table
 */
function tableOf(native, instance, methods) {
  let known = tables.get(native);
  if (known === undefined) {
    tables.set(native, (known = new WeakMap()));
  }
  const last = known.get(instance);
  if (
    last !== undefined &&
    (last.methods === methods ||
      (last.methods.length === methods.length &&
        methods.every(({ name }, i) => name === last.methods[i].name)))
  ) {
    last.methods = methods;
    return last.table;
  }
  if (last !== undefined) {
    native.forgetMethods(last.table);
  }
  const names = methods.map(({ name }) => name);
  const table = native.methods(JSON.stringify(names));
  known.set(instance, { methods, table });
  return table;
}

/**
 * Begins to serve a socket that has just connected.
 *
 * @param {import('./socket').Socket} socket the socket
 * @returns {import('../errors').LoopbackSocketError | undefined} why it may not stay: too many sockets of its
 *   address are pending, or its state was recovered and its authentication has been revoked or has expired since
 */
function serve(socket) {
  // In the order of `_instances`. The namespace may have been given more since, which come last.
  const { _limits: limits } = socket.nsp;
  const { sessions } = socket.nsp._link;
  const disconnected = socket._recovery?.takeDisconnected();
  let refusal = disconnected?.refusal;
  if (disconnected !== undefined && refusal === undefined && restore(socket, disconnected)) {
    return undefined;
  }
  socket._instances.forEach((instance, i) => {
    socket.auth = false;
    socket._isPending = true;
    sessions.serve(socket._number, delayOf(instance._timeout));
    const leave = limits[i].enter(socket, socket._connection.snapshot.clientAddress);
    if (leave === undefined) {
      socket.nsp._link.refused.tooManyPending += 1;
      instance._definitions.authentication.tooManyPending += 1;
      refusal ??= new TooManyPendingError();
    } else {
      socket._onSettled(leave);
    }
  });
  return refusal;
}

/**
 * Begins to serve a socket whose state was recovered, and of whose authentication this process knows.
 *
 * @param {import('./socket').Socket} socket the socket
 * @param {import('../auth/disconnected-sockets').DisconnectedSocket} disconnected what it knows
 * @returns {boolean} whether it is authenticated, or exempted as it was
 */
function restore(socket, disconnected) {
  const { native, sessions } = socket.nsp._link;
  const bound = socket._instances.map((instance) => disconnected.boundBy(instance));
  if (!disconnected.isExempt && bound.every((one) => one === undefined)) {
    return false;
  }
  socket.auth = false;
  socket._instances.forEach((instance, i) => {
    if (bound[i] === undefined) {
      sessions.serve(socket._number, delayOf(instance._timeout));
    } else {
      const { methods, credentials } = bound[i];
      sessions.serveRestored(socket._number, tableOf(native, instance, methods));
      socket._bind(i, methods, credentials);
    }
  });
  sessions.exempt(socket._number);
  socket.auth = true;
  restoreExpires(socket, disconnected.dates);
  return true;
}

/**
 * A LoopbackSocket takes the credentials of the client: one attempt begins. The native server knows nothing of it
 * before, so what middleware blocks, or nobody takes, leaves nothing there.
 *
 * @param {import('./socket').Socket} socket the socket
 * @param {number} index the number of the LoopbackSocket among those that serve the socket
 * @param {unknown} credentials what the client sent
 * @returns {void}
 */
function attempt(socket, index, credentials) {
  if (socket._beginsNothing) {
    return;
  }
  const instance = socket._instances[index];
  const { native, sessions } = socket.nsp._link;
  const number = socket._number;
  const begun = sessions.credentials(number, index);
  if (begun < 0) {
    // The socket has ended in the native server, which is about to say so.
    return;
  }
  let table = 0;
  const host = {
    socket,
    get attempting() {
      return socket._attempting;
    },
    set attempting(attempts) {
      socket._attempting = attempts;
    },
    // A socket that the application has ended lives on in the native server until the command to end it
    // is handed over.
    outcome: (i, a, accepted, handlers) =>
      socket.connected ? sessions.outcome(number, i, a, accepted, handlers) : NOTHING,
    bound: (i, a) => sessions.bound(number, i, a, table),
    acknowledged: (i, a) => sessions.acknowledged(number, i, a),
    bind: (i, methods, shared) => {
      table = tableOf(native, instance, methods);
      socket._recovery?.defer();
      socket._bind(i, methods, shared);
    },
    // Setting `socket.auth` has let broadcasts through.
    authenticated: () => {},
    answered: () => socket._recovery?.answered(),
    decided: () => {
      socket._inFlight -= 1;
    },
    count: (i, by) => {
      const isExceeded = socket._countAttempts(i, by);
      if (isExceeded && by > 0) {
        socket.nsp._link.refused.tooManyAttempts += 1;
      }
      return isExceeded;
    },
    encodable: (value) => value,
    get subscriptions() {
      return socket._subscriptions;
    },
  };
  socket._inFlight += 1;
  authenticate(host, instance, index, begun, credentials);
}

module.exports = { serve, attempt };
