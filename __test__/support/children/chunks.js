'use strict';

// A client sends the body of a POST a byte at a time, and does not end it: what is kept of it?

const net = require('node:net');
const { once } = require('node:events');
const { World, reach } = require('../native-server');

/** Bytes of a body, each of them a chunk. */
const BYTES = 100_000;

async function main() {
  const world = new World({});
  let arrived = 0;
  world.httpServer.prependListener('request', (req) => {
    req.on('data', (chunk) => (arrived += chunk.length));
  });
  await world.listen();
  const polling = await world.polling({ poll: false, join: false });
  const tcp = net.connect(world.port, '127.0.0.1');
  await once(tcp, 'connect');
  const before = kept();
  tcp.write(
    `POST /socket.io/?EIO=4&transport=polling&sid=${polling.sid} HTTP/1.1\r\nHost: localhost\r\n` +
      'Transfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n',
  );
  for (let sent = 0; sent < BYTES; sent += 1000) {
    tcp.write('1\r\nx\r\n'.repeat(1000));
  }
  await reach(() => arrived === BYTES);
  process.send({ bytes: BYTES, kept: kept() - before });
  tcp.destroy();
  await world.close();
  process.disconnect();
}

function kept() {
  global.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

main();
