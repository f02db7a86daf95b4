'use strict';

/**
 * Puts a server in front of the listeners of a Node http.Server: which requests and upgrades are
 * its own, and what becomes of the others.
 */

const { helpFor } = require('../help');
const { cors } = require('./cors');
const { clientBundle } = require('./client-bundle');
const { poll } = require('./polling');
const { upgrade } = require('./upgrade');

/** @type {WeakMap<object, Map<string, object>>} who serves what begins how, by http.Server */
const attached = new WeakMap();

/** @type {WeakSet<import('net').Socket>} those that have brought a request with a response */
const responded = new WeakSet();

/** @type {WeakMap<Function, Function[]>} those that a listener of ours passes on to, now that it is off */
const passing = new WeakMap();

/**
 * Attaches a server. Every other request goes to the listeners that the http.Server already has.
 *
 * @param {import('./front').HttpFront} front who serves
 * @param {import('http').Server} httpServer where clients come
 * @returns {() => void} takes the server's listeners off again, and puts back those that were there
 */
function attach(front, httpServer) {
  const options = front.options;
  const prefix = front.configure();
  if (options.cors !== undefined && front.cors === undefined) {
    front.cors = cors(options.cors);
    front.engine.use(front.cors);
  }
  const bundle = options.serveClient ? clientBundle(`${options.path}/`, front.cors) : undefined;
  const leavePath = takePath(front, httpServer, prefix);
  let isAttached = true;
  const others = httpServer.listeners('request').slice();
  const request = (req, res) => {
    noteRequest(req);
    if (isAttached && bundle?.(req, res)) {
      return;
    }
    if (isAttached && req.url.startsWith(prefix)) {
      poll(front, req, res);
      return;
    }
    for (const listener of others) {
      Reflect.apply(listener, httpServer, [req, res]);
    }
  };
  httpServer.removeAllListeners('request');
  httpServer.on('request', request);
  const upgrades = (req, socket, head) => {
    if (req.url.startsWith(prefix)) {
      upgrade(front, req, socket, head);
    } else if (options.destroyUpgrade && !isAnothers(httpServer, req.url)) {
      endUntaken(socket, options.destroyUpgradeTimeout);
    }
  };
  if (options.transports.includes('websocket')) {
    httpServer.on('upgrade', upgrades);
  }
  const leave = front.takeover.attach(httpServer);
  // As in Engine.IO: clients of long polling have no connection that the http.Server waits for.
  const closed = () => {
    const isOther = (one) => one !== httpServer && one.listening;
    // A drain closes the http.Server before the calls of its websockets are done.
    if (!front.isDraining && !front.isClosing && !front.httpServers.some(isOther)) {
      front.engine.close();
    }
  };
  httpServer.on('close', closed);
  return () => {
    leave();
    httpServer.removeListener('close', closed);
    // Who was attached later may have our listener among the others: it only passes on from now.
    isAttached = false;
    passing.set(request, others);
    putBack(httpServer, request, others);
    httpServer.removeListener('upgrade', upgrades);
    leavePath();
  };
}

/**
 * Has the listeners for requests that were there before take the place of ours.
 *
 * @param {import('http').Server} httpServer whose
 * @param {Function} ours our listener
 * @param {Function[]} others those before it
 * @returns {void}
 */
function putBack(httpServer, ours, others) {
  const now = httpServer.rawListeners('request');
  if (now.includes(ours)) {
    httpServer.removeAllListeners('request');
    for (const listener of now.flatMap((one) => (one === ours ? behind(others) : one))) {
      httpServer.on('request', listener);
    }
  }
}

/**
 * @param {Function[]} listeners listeners
 * @returns {Function[]} the same, with those that are off replaced by those they pass on to
 */
function behind(listeners) {
  return listeners.flatMap((one) => (passing.has(one) ? behind(passing.get(one)) : one));
}

/**
 * Notes which server has a path of an http.Server, and warns if another one has it already: every websocket
 * would be taken by both.
 *
 * @param {import('./front').HttpFront} front who serves it
 * @param {import('http').Server} httpServer where clients come
 * @param {string} prefix what its requests begin with
 * @returns {() => void} forgets it
 */
function takePath(front, httpServer, prefix) {
  const paths = attached.get(httpServer) ?? new Map();
  attached.set(httpServer, paths);
  const before = paths.get(prefix);
  if (before !== undefined && !before.isClosing) {
    process.emitWarning(
      `Two native servers are attached to one HTTP server with the path '${prefix}'. Attach only one, ` +
        'or give them different values of the option `path`.',
      {
        code: 'ERR_LOOPBACK_SOCKET_SAME_PATH',
        detail: `See ${helpFor('ERR_LOOPBACK_SOCKET_SAME_PATH')}`,
      },
    );
  }
  paths.set(prefix, front);
  return () => {
    if (paths.get(prefix) === front) {
      paths.delete(prefix);
    }
  };
}

/**
 * @param {import('http').Server} httpServer where an upgrade has come
 * @param {string} url what it asks for
 * @returns {boolean} whether a native server serves it, which answers in its own time
 */
function isAnothers(httpServer, url) {
  for (const [prefix, { options }] of attached.get(httpServer)) {
    if (url.startsWith(prefix) && options.transports.includes('websocket')) {
      return true;
    }
  }
  return false;
}

/**
 * @param {import('http').IncomingMessage} req a request with a response of its own; what an application emits as one
 *   may have no socket
 * @returns {void}
 */
function noteRequest({ socket }) {
  if (socket) {
    responded.add(socket);
  }
}

/**
 * Ends a socket that asked for an upgrade if no other listener takes it: Node leaves that to
 * whoever listens, and nobody would notice that the client leaves.
 *
 * A listener takes a socket by writing to it. What was written before the upgrade, on a connection that was kept
 * alive, does not count. A listener before ours may have written already, and the response to a request before
 * may still be written: so a listener takes a socket with such requests by reading it, too.
 *
 * @param {import('net').Socket} socket the socket
 * @param {number} grace ms until then
 * @returns {void}
 */
function endUntaken(socket, grace) {
  socket.on('error', () => {});
  const isKeptAlive = responded.has(socket);
  const before = isKeptAlive ? socket.bytesWritten : 0;
  const isResponding = Boolean(socket._httpMessage);
  setTimeout(() => {
    const isWritten = socket.bytesWritten > before && !isResponding;
    // Node has set this to `null` before the upgrade.
    const isRead = isKeptAlive && socket.readableFlowing !== null;
    if (socket.writable && !isWritten && !isRead) {
      socket.destroySoon();
    }
  }, grace).unref();
}

module.exports = { attach };
