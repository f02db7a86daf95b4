'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const path = require('node:path');
const { ROOT, run } = require('../../scripts/steps');
const { testExample } = require('../support/example-app');

/**
 * Compiles the TypeScript of the example.
 *
 * @param {string} folder
 * @returns {Promise<void>}
 */
async function build(folder) {
  const compiler = path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  await run('Compiling examples/nestjs', process.execPath, [compiler, '-p', folder]);
}

/**
 * The guard of the gateway keeps out what is sent before authentication.
 *
 * @param {object} socket of a client
 * @returns {Promise<void>}
 */
async function beforeLogin(socket) {
  const refused = once(socket, 'exception');
  socket.emit('greet', {});
  const [{ message }] = await refused;
  assert.equal(message, 'Authenticate first');
}

testExample({ name: 'nestjs', program: 'dist/main.js', build, beforeLogin });
