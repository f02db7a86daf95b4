'use strict';

/**
 * A server that drains on SIGTERM: tells its port, and when it has closed the ids of all calls that it began.
 */

const http = require('node:http');
const LoopbackSocket = require('../../..');

const httpServer = http.createServer();
const io = new LoopbackSocket.Server(httpServer);
const sockets = LoopbackSocket.get('drained', 'none');
const ids = [];
sockets.defineMethod('work', async (socket, credentials, { id }) => {
  ids.push(id);
  await new Promise((done) => setTimeout(done, Math.random() * 30));
  return id;
});
sockets.start(io);
httpServer.listen(0, '127.0.0.1', () => process.send({ port: httpServer.address().port }));

process.once('SIGTERM', async () => {
  await io.close({ drain: 30_000 });
  process.send({ ids }, () => process.disconnect());
});
