'use strict';

// A server of which you can run as many as you like: docs/scaling.md takes you through it.
//
//   PORT=3000                      where it listens
//   REDIS=redis://localhost:6379   the Redis that joins it to the others; without one it is alone

const http = require('node:http');
const { createAdapter } = require('@socket.io/redis-adapter');
const { Redis } = require('ioredis');
const LoopbackSocket = require('loopback-socket');

/**
 * @param {string} url of a Redis server
 * @returns {Function} the adapter that joins all servers on this Redis
 */
function adapterOn(url) {
  const pubClient = new Redis(url);
  const subClient = pubClient.duplicate();
  for (const client of [pubClient, subClient]) {
    client.on('error', (err) => console.error(`Redis: ${err.message}`));
  }
  return createAdapter(pubClient, subClient);
}

/**
 * @param {http.Server} httpServer what clients connect to
 * @returns {LoopbackSocket.Server} the Socket.IO server on it
 */
function start(httpServer) {
  const { REDIS } = process.env;
  const options = REDIS ? { adapter: adapterOn(REDIS) } : {};
  const io = new LoopbackSocket.Server(httpServer, options);

  const sockets = LoopbackSocket.get('chat');
  sockets.auth((socket, credentials) => credentials?.token === 'open sesame');
  sockets.defineMethod('process', () => process.pid);
  sockets.defineMethod('say', (socket, credentials, text) => io.emit('said', text));
  sockets.start(io);

  // Calls in flight are answered; meanwhile clients connect to another process.
  process.on('SIGTERM', () => io.close({ drain: 10_000 }).finally(() => process.exit()));
  return io;
}

module.exports = { start };

if (require.main === module) {
  const { PORT = 3000 } = process.env;
  const httpServer = http.createServer();
  start(httpServer);
  httpServer.listen(PORT, () => console.log(`listening on port ${PORT}`));
}
