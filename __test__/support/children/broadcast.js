'use strict';

// Broadcasts much at once, and tells what became of the clients and how much memory that took.

const fs = require('node:fs');
const { World } = require('../native-server');

const { messages, bytes, maxBackpressure } = JSON.parse(process.argv[2]);

async function main() {
  const world = new World({ maxBackpressure });
  await world.listen();
  world.io.on('connection', (socket) => {
    socket.on('disconnect', (reason) => process.send({ gone: reason }));
  });
  process.on('message', async (message) => {
    if (message === 'broadcast') {
      const before = memory('VmRSS');
      const text = 'x'.repeat(bytes);
      for (let n = 0; n < messages; n++) world.io.emit('n', n, text);
      process.send({ before });
    } else {
      process.send({ peak: memory('VmHWM') });
      await world.close();
      process.disconnect();
    }
  });
  process.send({ port: world.port });
}

/**
 * @param {string} what a line of the process's status
 * @returns {number | undefined} bytes, where the operating system tells
 */
function memory(what) {
  if (process.platform !== 'linux') return undefined;
  const status = fs.readFileSync('/proc/self/status', 'utf8');
  return 1024 * Number(new RegExp(`${what}:\\s+(\\d+)`).exec(status)[1]);
}

main();
