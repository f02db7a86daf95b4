'use strict';

// Two workers of a cluster on one port, without anything that keeps a client on its worker, as PM2 runs them.

const cluster = require('node:cluster');
const http = require('node:http');

if (cluster.isPrimary) {
  const ready = [cluster.fork(), cluster.fork()].map(
    (worker) => new Promise((resolve) => worker.once('message', resolve)),
  );
  Promise.all(ready).then(([port]) => process.send(port));
  process.once('message', () => {
    Object.values(cluster.workers).forEach((worker) => worker.process.kill('SIGKILL'));
    process.exit();
  });
} else {
  const { Server } = require('../../..');
  const httpServer = http.createServer();
  const io = new Server(httpServer);
  io.on('connection', (socket) => socket.on('who', (done) => done(process.pid)));
  httpServer.listen(0, '127.0.0.1', () => process.send(httpServer.address().port));
}
