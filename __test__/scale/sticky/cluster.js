'use strict';

// A cluster behind @socket.io/sticky, as its documentation has it: the primary takes connections and gives
// each to the worker that has the session, and the cluster adapter connects the workers. A worker that
// dies is replaced. Arguments: the load-balancing method and how many workers.

const cluster = require('node:cluster');
const http = require('node:http');
const adapter = require('@socket.io/cluster-adapter');
const sticky = require('@socket.io/sticky');

const [loadBalancingMethod, workers] = process.argv.slice(2);

if (cluster.isPrimary) {
  // What the primary has read goes over as a Buffer.
  cluster.setupPrimary({ serialization: 'advanced' });
  const httpServer = http.createServer();
  sticky.setupMaster(httpServer, { loadBalancingMethod });
  adapter.setupPrimary();
  // Node.js may still read from a connection that it is giving to a worker, and drops what it reads.
  httpServer.on('connection', (socket) => {
    socket.prependListener('data', () => socket._handle?.readStop());
    socket.on('data', () => socket._handle?.readStart());
  });
  // sticky tells workers of connections that close, even if the worker has just died.
  cluster.on('fork', (worker) => worker.on('error', () => {}));
  let isClosing = false;
  let ready = 0;
  cluster.on('message', (worker, message) => {
    if (message !== 'ready') return;
    ready += 1;
    if (ready === Number(workers)) {
      httpServer.listen(0, '127.0.0.1', () => process.send({ port: httpServer.address().port }));
    } else if (ready > Number(workers)) {
      process.send({ replaced: worker.process.pid });
    }
  });
  cluster.on('exit', () => {
    if (!isClosing) cluster.fork();
  });
  for (let i = 0; i < workers; i += 1) cluster.fork();
  const close = () => {
    isClosing = true;
    Object.values(cluster.workers).forEach((worker) => worker.process.kill('SIGKILL'));
    process.exit();
  };
  // Asked to, or when the test has died.
  process.once('message', close);
  process.once('disconnect', close);
} else {
  const { Server } = require('../../..');
  const io = new Server(http.createServer(), {
    // A connection that waits in the primary for a worker that dies is never closed: pings end it.
    pingInterval: 1_000,
    pingTimeout: 2_000,
    adapter: adapter.createAdapter({ heartbeatInterval: 100, heartbeatTimeout: 1_000 }),
  });
  sticky.setupWorker(io);
  io.on('connection', (socket) => {
    socket.on('who', (done) => done(process.pid));
    socket.on('echo', (value, done) => done(value));
    socket.on('join', (room, done) => {
      socket.join(room);
      done(room);
    });
    socket.on('publish', (room, value) => (room === null ? io : io.to(room)).emit('news', value));
    socket.on('servers', async (done) => done(await io.of('/').adapter.serverCount()));
    socket.on('others', async (done) => done((await io.fetchSockets()).length));
  });
  process.send('ready');
}
