'use strict';

/**
 * Puts a server in front of the listeners of a Node http.Server: which requests and upgrades are
 * its own, and what becomes of the others.
 */

const cors = require('cors');
const { clientBundle } = require('./client-bundle');
const { poll } = require('./polling');
const { upgrade } = require('./upgrade');

/**
 * Attaches a server. Listeners that the http.Server has already hear of every other request.
 *
 * @param {import('./server')} server who serves
 * @param {import('http').Server} httpServer where clients come
 * @returns {void}
 */
function attach(server, httpServer) {
  const options = server._options;
  // Whatever begins so is the server's, as on Engine.IO.
  const prefix = options.addTrailingSlash ? `${options.path}/` : options.path;
  if (options.cors !== undefined && server._cors === undefined) {
    server._cors = cors(options.cors);
    server.engine.use(server._cors);
  }
  const bundle = options.serveClient ? clientBundle(`${options.path}/`, server._cors) : undefined;
  const others = httpServer.listeners('request').slice();
  httpServer.removeAllListeners('request');
  httpServer.on('request', (req, res) => {
    if (bundle?.(req, res)) {
      return;
    }
    if (req.url.startsWith(prefix)) {
      poll(server, req, res);
      return;
    }
    for (const listener of others) {
      Reflect.apply(listener, httpServer, [req, res]);
    }
  });
  if (options.transports.includes('websocket')) {
    httpServer.on('upgrade', (req, socket, head) => {
      if (req.url.startsWith(prefix)) {
        upgrade(server, req, socket, head);
      } else if (options.destroyUpgrade) {
        endUntaken(socket, options.destroyUpgradeTimeout);
      }
    });
  }
}

/**
 * Ends a socket that asked for an upgrade if no other listener takes it: Node leaves that to
 * whoever listens.
 *
 * @param {import('net').Socket} socket the socket
 * @param {number} grace ms until then
 * @returns {void}
 */
function endUntaken(socket, grace) {
  socket.on('error', () => {});
  setTimeout(() => {
    if (socket.writable && socket.bytesWritten <= 0) {
      socket.destroySoon();
    }
  }, grace).unref();
}

module.exports = { attach };
