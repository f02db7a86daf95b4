'use strict';

// One native node behind a proxy. Arguments: its port, or 0 for any, the transports it takes, and the URL of
// the Redis that joins it to the others, if there is one.

const http = require('node:http');
const { createAdapter } = require('@socket.io/redis-adapter');
const { createClient } = require('redis');
const LoopbackSocket = require('../../..');

const [port, transports, redis] = process.argv.slice(2);

/** @returns {Promise<Function>} the adapter that joins the nodes */
async function connectToRedis() {
  const clients = [createClient({ url: redis }), createClient({ url: redis })];
  clients.forEach((client) => client.on('error', () => {}));
  await Promise.all(clients.map((client) => client.connect()));
  return createAdapter(...clients);
}

/** Serves clients, and tells the test where. */
async function main() {
  const httpServer = http.createServer();
  const io = new LoopbackSocket.Server(httpServer, {
    adapter: redis === undefined ? undefined : await connectToRedis(),
    // The proxy. The clients of a test have other loopback addresses.
    trustProxy: '127.0.0.1',
    transports: transports.split(','),
    // For the proxies that use it.
    cookie: true,
  });
  io.on('connection', (socket) => {
    const { address, secure } = socket.handshake;
    socket.on('who', (done) => done(process.pid));
    socket.on('address', (done) => done(address, secure, socket.conn.remoteAddress));
    socket.on('publish', (value, done) => {
      io.emit('news', value);
      done();
    });
  });
  const sockets = LoopbackSocket.get('calls', 'none');
  sockets.defineMethod('process', () => process.pid);
  // A call that is in flight until the test says so.
  sockets.defineMethod('wait', () => new Promise((resolve) => process.once('SIGUSR2', resolve)));
  sockets.start(io.of('/calls'));
  process.on('message', async () => {
    const closed = io.close({ drain: 20_000 });
    process.send('draining');
    await closed;
    process.exit();
  });
  httpServer.listen(Number(port), '127.0.0.1', () => process.send(httpServer.address().port));
}

process.once('disconnect', () => process.exit());
main();
