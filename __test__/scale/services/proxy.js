'use strict';

/**
 * A TCP proxy between one node and its service, for a partition of the network.
 */

const net = require('node:net');

/**
 * @param {number} target the port of the service
 * @returns {Promise<{port: number, cut: () => void, halt: () => void, heal: () => void, stop: () => Promise<void>}>}
 *   `cut` ends the connections and refuses others; `halt` loses nothing and delivers nothing, as a network does whose
 *   packets no longer arrive; `heal` undoes either
 */
async function startProxy(target) {
  /** @type {Set<net.Socket>} both ends of each connection */
  const sockets = new Set();
  /** @type {'open' | 'cut' | 'halted'} */
  let state = 'open';

  const server = net.createServer({ allowHalfOpen: false }, (near) => {
    if (state === 'cut') {
      near.on('error', () => {});
      near.resetAndDestroy();
      return;
    }
    const far = net.connect(target, '127.0.0.1');
    const pair = [near, far];
    for (const socket of pair) {
      sockets.add(socket);
      socket.setNoDelay(true);
      if (state === 'halted') socket.pause();
      const other = pair.find((end) => end !== socket);
      socket.on('data', (data) => {
        if (other.write(data)) return;
        socket.pause();
        other.once('drain', () => {
          if (state === 'open') socket.resume();
        });
      });
      socket.on('error', () => {});
      socket.on('end', () => other.end());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    port: server.address().port,
    cut() {
      state = 'cut';
      for (const socket of sockets) socket.resetAndDestroy();
    },
    halt() {
      state = 'halted';
      for (const socket of sockets) socket.pause();
    },
    heal() {
      state = 'open';
      for (const socket of sockets) socket.resume();
    },
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

module.exports = { startProxy };
