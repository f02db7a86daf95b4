'use strict';

// A server in a worker thread, which is ended in the middle of its work; the process goes on.

const { Worker, isMainThread, parentPort } = require('node:worker_threads');
const http = require('node:http');

if (isMainThread) {
  const begin = () => {
    const worker = new Worker(__filename);
    worker.once('message', (port) => process.send(port));
    return worker;
  };
  let worker = begin();
  process.on('message', async (told) => {
    await worker.terminate();
    if (told === 'again') {
      worker = begin();
    } else {
      process.send('ended');
      process.disconnect();
    }
  });
} else {
  const { Server } = require('../../..');
  const httpServer = http.createServer();
  const io = new Server(httpServer);
  io.on('connection', (socket) => socket.on('echo', (value, done) => done(value)));
  httpServer.listen(0, '127.0.0.1', () => parentPort.postMessage(httpServer.address().port));
}
