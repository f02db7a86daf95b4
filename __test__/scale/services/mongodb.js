'use strict';

/**
 * A stand-in for MongoDB, which no registry that this project installs from has: not its server, but a small program
 * that speaks enough of its wire protocol for the official driver. So `@socket.io/mongo-adapter`,
 * `@socket.io/mongo-emitter` and `mongodb` run unchanged, with change streams, resume tokens and reconnections as the
 * driver does them; what MongoDB itself would do is not proven by it.
 */

const path = require('node:path');
const { Program, freePort, temporaryDirectory } = require('./program');

/**
 * @returns {Promise<{
 *   port: number,
 *   url: string,
 *   restart: Program['restart'],
 *   pause: () => void,
 *   resume: () => void,
 *   stop: () => Promise<void>,
 * }>} a server that listens on the loopback address and keeps its documents over a restart
 */
async function startMongoDb() {
  const port = await freePort();
  const directory = temporaryDirectory('mongodb');
  const program = new Program({
    command: process.execPath,
    args: [path.join(__dirname, 'mongodb', 'server.js'), String(port), directory],
    ready: /Waiting for connections/,
    directory,
  });
  await program.start();
  return {
    port,
    url: `mongodb://127.0.0.1:${port}/?directConnection=true`,
    restart: (options) => program.restart(options),
    pause: () => program.pause(),
    resume: () => program.resume(),
    stop: () => program.stop(),
  };
}

module.exports = { startMongoDb };
