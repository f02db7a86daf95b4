'use strict';

/**
 * Has tools that instrument socket.io find the classes of the native server. Such a tool, for example
 * `@opentelemetry/instrumentation-socket.io`, wraps `require()` and waits for files of socket.io, whose classes it
 * patches. Those of the native server are in other files, so once socket.io has been answered, those files are required
 * here, and this file answers that.
 */

const path = require('path');

/** @type {Map<string, unknown>} what each file exports, by its path, while it is required here */
const presented = new Map();

/** @type {Set<string>} where the versions of socket.io are that were presented */
const homes = new Set();

/**
 * The native server is loaded by those who use it, so its classes are not named before.
 *
 * @param {string} version a version of socket.io
 * @returns {Record<string, unknown>} its files with classes, and what they export, as ours
 */
function filesOf(version) {
  const { BroadcastOperator } = require('../socketio/broadcast-operator');
  const { Namespace } = require('../socketio/namespace');
  const { Socket } = require('../socketio/socket');
  switch (Number.parseInt(version, 10)) {
    case 2:
      return { 'lib/namespace.js': Namespace, 'lib/socket.js': Socket };
    case 3:
      return { 'dist/namespace.js': { Namespace }, 'dist/socket.js': { Socket } };
    default:
      return { 'dist/broadcast-operator.js': { BroadcastOperator }, 'dist/socket.js': { Socket } };
  }
}

/**
 * An application has been given what stands in for an installed socket.io.
 *
 * @param {import('./resolve').Substitute} substitute what stands in
 * @returns {void}
 */
function presentTo({ home, version }) {
  if (home === undefined || homes.has(home)) {
    return;
  }
  homes.add(home);
  for (const [file, exports] of Object.entries(filesOf(version))) {
    const name = path.join(home, file);
    presented.set(name, exports);
    try {
      require(name);
    } catch {
      // This version has no such file, so that nobody waits for it.
    }
    presented.delete(name);
  }
}

/**
 * @param {string} request what is required
 * @param {NodeModule} [parent] by which module
 * @returns {unknown} what stands in for it, if it is required here
 */
function presentFile(request, parent) {
  return parent === module ? presented.get(request) : undefined;
}

module.exports = { presentFile, presentTo };
