'use strict';

/**
 * The redis-server that is installed, without persistence. A plain server of version 7 has the sharded channels of
 * `SSUBSCRIBE` too.
 */

const { Program, freePort, temporaryDirectory, which } = require('./program');

/** @returns {boolean} whether redis-server is installed */
function isInstalled() {
  return which('redis-server') !== undefined;
}

/**
 * @returns {Promise<{
 *   port: number,
 *   url: string,
 *   restart: Program['restart'],
 *   pause: () => void,
 *   resume: () => void,
 *   stop: () => Promise<void>,
 * }>} a server that listens on the loopback address
 */
async function startRedis() {
  const port = await freePort();
  const directory = temporaryDirectory('redis');
  const program = new Program({
    command: which('redis-server') ?? 'redis-server',
    args: [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', directory],
      ...['--save', '', '--appendonly', 'no', '--daemonize', 'no'],
    ],
    ready: /Ready to accept connections/,
    directory,
  });
  await program.start();
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    restart: (options) => program.restart(options),
    pause: () => program.pause(),
    resume: () => program.resume(),
    stop: () => program.stop(),
  };
}

module.exports = { isInstalled, startRedis };
