'use strict';

/**
 * Shows by `DEBUG` which sockets middleware of a namespace refuses, on an npm `socket.io` server. It emits nothing
 * then, so the function that runs the middleware is wrapped.
 *
 * What must stay true: nothing of the server changes while `DEBUG` does not show it.
 */

const { logsRefusals, refused } = require('../observability/sockets');

/** @type {WeakSet<object>} the namespaces that are watched */
const watched = new WeakSet();

/**
 * Shows which sockets are refused in a namespace, if `DEBUG` asks for that by now.
 *
 * @param {object} io a server, whose default namespace it is; a namespace, or one for a pattern; or an emitter
 *   that looks like one
 * @returns {void}
 */
function watchRefusals(io) {
  const namespace = typeof io.of === 'function' ? io.sockets : io;
  if (!logsRefusals() || typeof namespace?.run !== 'function' || watched.has(namespace)) {
    return;
  }
  watched.add(namespace);
  const { createChild, run } = namespace;
  namespace.run = function runMiddleware(socket, done) {
    return Reflect.apply(run, this, [
      socket,
      (error) => {
        if (error) {
          refused(socket.id, this.name, error);
        }
        return done(error);
      },
    ]);
  };
  if (typeof createChild === 'function') {
    namespace.createChild = function createWatchedChild(name) {
      const child = Reflect.apply(createChild, this, [name]);
      watchRefusals(child);
      return child;
    };
  }
}

module.exports = { watchRefusals };
