'use strict';

// Several processes of server.js on one port: `node cluster.js 10`. Node's cluster starts them, and
// @socket.io/sticky sends all requests of a client to the same process, which long polling needs.

const cluster = require('node:cluster');
const http = require('node:http');
const { setupPrimary, setupWorker } = require('@socket.io/sticky');
const { start } = require('./server');

/**
 * Starts the processes, listens when all of them are ready, and replaces one that ends from then on. One that
 * cannot even start ends the program. SIGTERM ends all of them as server.js does.
 */
function startPrimary() {
  const { PORT = 3000 } = process.env;
  const count = Number(process.argv[2] ?? 2);
  const httpServer = http.createServer();
  // What the primary has read of a connection goes to the worker as bytes.
  cluster.setupPrimary({ serialization: 'advanced' });
  setupPrimary(httpServer, { loadBalancingMethod: 'round-robin' });
  let ready = 0;
  cluster.on('message', (worker, message) => {
    if (message !== 'ready' || ++ready !== count) return;
    httpServer.listen(PORT, () => console.log(`${count} processes listening on port ${PORT}`));
  });
  // The primary still writes to a worker that has just died.
  cluster.on('fork', (worker) => worker.on('error', (err) => console.error(err.message)));
  let isEnding = false;
  cluster.on('exit', () => {
    if (isEnding) return;
    if (!httpServer.listening) process.exit(1);
    cluster.fork();
  });
  process.on('SIGTERM', () => {
    isEnding = true;
    httpServer.close();
    for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGTERM');
  });
  for (let n = 0; n < count; n++) cluster.fork();
}

/** Serves the clients that the primary passes on. It has to be able to from its first moment. */
function startWorker() {
  setupWorker(start(http.createServer()));
  process.send('ready');
}

if (cluster.isPrimary) startPrimary();
else startWorker();
