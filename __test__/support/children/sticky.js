'use strict';

// Two workers of a cluster behind @socket.io/sticky, which finds a client's worker by its session id.

const cluster = require('node:cluster');
const http = require('node:http');
const { setupPrimary, setupWorker } = require('@socket.io/sticky');

if (cluster.isPrimary) {
  // What the primary has read goes over as a Buffer.
  cluster.setupPrimary({ serialization: 'advanced' });
  const httpServer = http.createServer();
  setupPrimary(httpServer, { loadBalancingMethod: 'round-robin' });
  const workers = [cluster.fork(), cluster.fork()];
  const ready = workers.map((worker) => new Promise((resolve) => worker.once('message', resolve)));
  Promise.all(ready).then(() => {
    httpServer.listen(0, '127.0.0.1', () => process.send(httpServer.address().port));
  });
  process.once('message', () => {
    httpServer.closeAllConnections();
    httpServer.close();
    workers.forEach((worker) => worker.kill());
    process.disconnect();
  });
} else {
  const { Server } = require('../../..');
  const io = new Server(http.createServer());
  setupWorker(io);
  io.on('connection', (socket) => socket.on('who', (done) => done(process.pid)));
  process.send('ready');
}
