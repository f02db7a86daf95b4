'use strict';

// A server of which you can run as many as you like: docs/scaling.md takes you through it.
//
//   PORT=3000                      where it listens
//   REDIS=redis://localhost:6379   the Redis that joins it to the others; without one it is alone

const http = require('node:http');
const { createAdapter } = require('@socket.io/redis-adapter');
const LoopbackSocket = require('loopback-socket');
const { createClient } = require('redis');

/**
 * @param {string} url of a Redis server
 * @returns {Promise<Function>} the adapter that joins every server that uses this Redis
 */
async function connectToRedis(url) {
  const pubClient = createClient({ url });
  const subClient = pubClient.duplicate();
  for (const client of [pubClient, subClient]) client.on('error', (err) => console.error(err));
  await Promise.all([pubClient.connect(), subClient.connect()]);
  return createAdapter(pubClient, subClient);
}

/**
 * @param {http.Server} httpServer what clients connect to
 * @returns {Promise<LoopbackSocket.Server>} the Socket.IO server on it
 */
async function start(httpServer) {
  const { REDIS } = process.env;
  const options = REDIS ? { adapter: await connectToRedis(REDIS) } : {};
  const io = new LoopbackSocket.Server(httpServer, options);

  const sockets = LoopbackSocket.get('chat');
  sockets.auth((socket, { token }) => token === 'open sesame');
  sockets.defineMethod('process', () => process.pid);
  sockets.defineMethod('say', (socket, credentials, text) => io.emit('said', text));
  sockets.start(io);
  return io;
}

module.exports = { start };

if (require.main === module) {
  const { PORT = 3000 } = process.env;
  const httpServer = http.createServer();
  start(httpServer).then(() => {
    httpServer.listen(PORT, () => console.log(`listening on port ${PORT}`));
  });
}
