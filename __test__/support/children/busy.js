'use strict';

// A server whose JavaScript is busy for a while when a client asks for it. Tells its parent what
// happens to its clients.

const fs = require('node:fs');
const https = require('node:https');
const http = require('node:http');
const path = require('node:path');
const { World, loopbackSocket } = require('../native-server');

const { options, secure = false, timeout } = JSON.parse(process.argv[2]);
const file = (name) => fs.readFileSync(path.join(__dirname, '..', 'tls', name));

async function main() {
  const httpServer = secure
    ? https.createServer({ cert: file('cert.pem'), key: file('key.pem') })
    : http.createServer();
  const world = new World({ allowEIO3: true, ...options }, httpServer);
  await world.listen();
  const instance = loopbackSocket(timeout);
  instance.start(world.io);
  let says = 0;
  let gone = 0;
  world.io.engine.on('connection', (connection) => {
    connection.on('upgrade', () => process.send({ upgraded: true }));
    connection.on('close', (reason) => process.send({ gone: ++gone, reason }));
  });
  world.io.on('connection', (socket) => {
    socket.on('say', () => process.send({ says: ++says }));
    socket.on('still here?', (answer) => answer('yes'));
    socket.on('be busy', (ms) => {
      process.send({ busy: true });
      // Without taking time from other processes.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
      process.send({ busy: false });
    });
  });
  process.send({ port: world.port });
  process.once('message', async () => {
    await world.close();
    process.disconnect();
  });
}

main();
