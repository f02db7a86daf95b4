'use strict';

/**
 * Which namespaces are gated on a server that is served as a whole: those that existed when
 * `start(io)` was called, but for those that the application leaves out and that of
 * `@socket.io/admin-ui`. For both kinds of server.
 *
 * What must stay true: a namespace is gated unless something says that it is not.
 */

const { isRegExp } = require('util').types;
const { helpFor } = require('../help');

/**
 * What the functions of `@socket.io/admin-ui` (0.1 to 0.5) that end up in its namespace have in
 * their text: its listener of `connection`, and its middleware if it asks for a password. The name
 * of the namespace is the application's choice. Minifiers keep strings and properties.
 */
const ADMIN_UI = [
  ['supportedFeatures', 'all_sockets'],
  ['doesSessionExist', 'saveSession'],
];

/** @type {WeakMap<Function, boolean>} whether a listener or middleware is one of those */
const ofAdminUi = new WeakMap();

/** How many ms a client may take to join the default namespace after another. */
const GRACE = 500;

/** @type {WeakSet<object>} namespaces that were warned about, or will be if a client stays as it is */
const considered = new WeakSet();

/**
 * @param {string} name the name of a namespace
 * @param {(string | RegExp)[]} open what the application leaves out
 * @returns {boolean} whether the namespace is left out
 */
function isLeftOut(name, open) {
  // Not `test`, which goes on from where a pattern with the flag `g` matched before.
  return open.some((entry) => (isRegExp(entry) ? name.search(entry) !== -1 : name === entry));
}

/**
 * @param {object} namespace a namespace of any server
 * @returns {boolean} whether `instrument()` of `@socket.io/admin-ui` set it up, by now
 */
function isAdminUi(namespace) {
  const listeners =
    typeof namespace.listeners === 'function' ? namespace.listeners('connection') : [];
  const middleware = namespace._fns ?? [];
  return [...listeners, ...middleware].some((fn) => {
    if (typeof fn !== 'function') {
      return false;
    }
    let isOne = ofAdminUi.get(fn);
    if (isOne === undefined) {
      const text = Function.prototype.toString.call(fn);
      isOne = ADMIN_UI.some((words) => words.every((word) => text.includes(word)));
      ofAdminUi.set(fn, isOne);
    }
    return isOne;
  });
}

/**
 * A client without a socket in the default namespace gets no broadcasts of another. Warns once for each
 * such namespace: an application on Socket.IO 3 or 4 may have clients that never join the default one.
 *
 * @param {object} namespace the namespace
 * @param {() => boolean} isMuted whether the client still has no such socket and gets no broadcasts
 * @returns {void}
 */
function warnOfMuted(namespace, isMuted) {
  if (considered.has(namespace)) {
    return;
  }
  considered.add(namespace);
  setTimeout(() => {
    if (!isMuted()) {
      // It has joined the default namespace, or left. The next client may be the one to warn of.
      considered.delete(namespace);
      return;
    }
    const name = JSON.stringify(namespace.name);
    process.emitWarning(
      `A client that is not in the default namespace '/' receives no broadcasts of the namespace ${name}, ` +
        'because the namespace existed when start(io) was called: a client has to authenticate in the ' +
        'default namespace first. To let every client receive its broadcasts, call ' +
        `start(io, { open: [${name}] }).`,
      {
        code: 'ERR_LOOPBACK_SOCKET_GATED_NAMESPACE',
        detail: `See ${helpFor('ERR_LOOPBACK_SOCKET_GATED_NAMESPACE')}`,
      },
    );
  }, GRACE).unref();
}

module.exports = { isLeftOut, isAdminUi, warnOfMuted };
