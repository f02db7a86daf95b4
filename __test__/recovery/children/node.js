'use strict';

// A node of a cluster on Redis Streams, whose clients authenticate and whose connections are recovered. Arguments: the
// server (4 or native) and the URL of Redis. Sends its port, and each socket that connects or disconnects; broadcasts
// the events that it is sent.

const { once } = require('node:events');
const http = require('node:http');
const { createClient } = require('redis');
const { createAdapter } = require('@socket.io/redis-streams-adapter');
const LoopbackSocket = require('../../..');

const [host, url] = process.argv.slice(2);

async function main() {
  const redis = createClient({ url });
  redis.on('error', () => {});
  await redis.connect();
  const options = { adapter: createAdapter(redis), connectionStateRecovery: {} };
  const httpServer = http.createServer();
  const Server = host === 'native' ? LoopbackSocket.Server : require('socket.io').Server;
  const io = new Server(httpServer, options);
  const sockets = new LoopbackSocket('node', 'none');
  sockets.auth((socket, { user }) => Boolean(user));
  sockets.defineMethod('whoami', (socket, { user }) => user);
  sockets.start(io);
  io.on('connection', (socket) => {
    socket.join('room');
    const { id, recovered, auth } = socket;
    process.send({ connected: { id, recovered, auth } });
    socket.on('disconnect', (reason) => process.send({ disconnected: { id, reason } }));
  });
  httpServer.listen(0);
  await once(httpServer, 'listening');
  process.on('message', (event) => io.to('room').emit(event));
  process.on('disconnect', () => process.exit());
  process.send({ port: httpServer.address().port });
}

main();
