'use strict';

/**
 * The hosts a scenario runs on: the original and ours, each on the servers it can live on.
 * `open(options)` starts one on a port of its own; nothing is shared between two openings.
 */

const { createServer } = require('node:http');
const { once } = require('node:events');

/**
 * @typedef {object} Host
 * @property {string} name
 * @property {string[]} clients names of the clients that can talk to it
 * @property {boolean} [isOriginal] whether LoopbackSocket is the original's
 * @property {number} [major] major version of the npm `socket.io` server under it
 * @property {boolean} [isNative]
 * @property {() => Function} LoopbackSocket
 * @property {(httpServer: import('node:http').Server, options: object) => any} serve makes the io
 */

const ours = () => require('../../..');
const original = () => require('loopback-socket-original');

/** @type {Record<string, Host>} */
const HOSTS = {
  original: {
    name: 'original on socket.io 2.5.1',
    isOriginal: true,
    major: 2,
    clients: ['2.5'],
    LoopbackSocket: original,
    serve: (server, options) =>
      require('loopback-socket-original/node_modules/socket.io')(server, options),
  },
  // Only for the deviation about socket.io 3 and 4.
  originalOn4: {
    name: 'original on socket.io 4.8.4',
    isOriginal: true,
    major: 4,
    clients: ['2.5', '4.8'],
    LoopbackSocket: original,
    serve: serveSocketIo4,
  },
  hostedOn2: {
    name: 'hosted on socket.io 2.5.1',
    major: 2,
    clients: ['2.5'],
    LoopbackSocket: ours,
    serve: (server, options) => require('socket.io-2')(server, options),
  },
  hostedOn4: {
    name: 'hosted on socket.io 4.8.4',
    major: 4,
    clients: ['2.5', '4.8'],
    LoopbackSocket: ours,
    serve: serveSocketIo4,
  },
  native: {
    name: 'native',
    isNative: true,
    clients: ['2.5', '4.8'],
    LoopbackSocket: ours,
    serve: (server, options) => new (ours().Server)(server, options),
  },
};

function serveSocketIo4(server, options) {
  const { Server } = require('socket.io');
  return new Server(server, { allowEIO3: true, ...options });
}

/**
 * @param {Host} host
 * @param {object} [options] of the Socket.IO server
 * @returns {Promise<{io: any, port: number, close: () => Promise<void>}>}
 */
async function open(host, options) {
  const server = createServer();
  const connections = new Set();
  server.on('connection', (connection) => {
    connections.add(connection);
    connection.once('close', () => connections.delete(connection));
  });
  const io = host.serve(server, { serveClient: false, ...options });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const close = async () => {
    const closed = server.listening ? once(server, 'close') : undefined;
    if (server.listening) await io.close();
    if (server.listening) server.close();
    for (const connection of connections) connection.destroy();
    await closed;
  };
  return { io, port: server.address().port, close };
}

module.exports = { HOSTS, open };
