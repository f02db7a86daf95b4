'use strict';

// A server in each of two workers of a cluster that share a port; every worker says who it is.

const cluster = require('node:cluster');
const http = require('node:http');

if (cluster.isPrimary) {
  const workers = [cluster.fork(), cluster.fork()];
  let port;
  const listening = workers.map(
    (worker) => new Promise((resolve) => worker.once('listening', resolve)),
  );
  Promise.all(listening).then(([address]) => {
    port = address.port;
    process.send(port);
  });
  process.once('message', () => {
    const exits = workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
    workers.forEach((worker) => worker.send('close'));
    Promise.all(exits).then((codes) => {
      process.send(codes);
      process.disconnect();
    });
  });
} else {
  const { Server } = require('../../..');
  const httpServer = http.createServer();
  const io = new Server(httpServer, { transports: ['websocket'] });
  io.on('connection', (socket) => socket.on('who', (done) => done(process.pid)));
  // The same port for both: the first asks for any, the second gets the same.
  httpServer.listen(0, '127.0.0.1');
  process.once('message', () => io.close(() => process.disconnect()));
}
