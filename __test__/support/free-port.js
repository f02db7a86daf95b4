'use strict';

/** Ports for programs that have to be told theirs. Others listen on port 0. */

const { once } = require('node:events');
const net = require('node:net');

/** Ports from here on, below those that the system gives to who asks for any. */
const [FIRST_PORT, LAST_PORT] = [20_000, 32_000];

/** @returns {Promise<number>} a port that is free, and that nobody gets who asks for any */
async function freePort() {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    const server = net.createServer();
    try {
      server.listen(port);
      await once(server, 'listening');
      return port;
    } catch (error) {
      if (error.code !== 'EADDRINUSE') throw error;
    } finally {
      await new Promise((resolve) => {
        server.close(resolve);
      });
    }
  }
}

module.exports = { freePort };
