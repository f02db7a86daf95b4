'use strict';

/** A server with an instance of which something is observed, for the tests of this folder. */

const LoopbackSocket = require('../..');
const { openServer, socketOf } = require('../support/js-hosts');

/** What no log and no message may contain. */
const SECRET = 'open sesame';

let names = 0;

/**
 * Opens a server with an instance that accepts the token `SECRET`.
 *
 * @param {import('node:test').TestContext} t the test
 * @param {number | 'native'} host which kind of server
 * @param {(sockets: LoopbackSocket) => void} [define] defines what the instance has
 * @param {object} [options] of the instance
 * @returns {Promise<object>} the server `io`, the instance `sockets`, its name, `client()` for a client that is
 *   connecting, and `connect()` for both sides of a socket
 */
async function open(t, host, define = () => {}, options = { timeout: 'none' }) {
  const { io, connect } = await openServer(t, host);
  const name = `observed ${++names}`;
  const sockets = LoopbackSocket.get(name, options);
  sockets.auth((socket, credentials) => {
    if (credentials.token !== SECRET) throw new RangeError('token unknown');
  });
  define(sockets);
  sockets.start(io);
  return {
    io,
    name,
    sockets,
    client: connect,
    async connect(...how) {
      const client = connect(...how);
      return { client, socket: await socketOf(io, client) };
    },
  };
}

/**
 * Takes callbacks and calls them from elsewhere, as a pool of connections does: without the context of the caller.
 *
 * @param {import('node:test').TestContext} t the test
 * @returns {(callback: () => void) => void} takes one
 */
function pool(t) {
  const waiting = [];
  const timer = setInterval(() => waiting.splice(0).forEach((callback) => callback()), 1);
  t.after(() => clearInterval(timer));
  return (callback) => waiting.push(callback);
}

module.exports = { SECRET, open, pool };
