'use strict';

/**
 * Runs a program of `children/` in a process of its own.
 */

const { fork } = require('node:child_process');
const path = require('node:path');

/**
 * @param {string} program a file of `children/`, or the path of another
 * @param {string[]} [args]
 * @param {object} [options] of `fork`
 * @returns {import('node:child_process').ChildProcess & {ended: Promise<object>}} `ended` is how it
 *   ended: `code`, `signal` and what it wrote
 */
function start(program, args = [], options = {}) {
  const child = fork(path.resolve(__dirname, 'children', program), args, {
    ...options,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (output += data));
  child.ended = new Promise((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal, output }));
  });
  return child;
}

/**
 * @param {import('node:child_process').ChildProcess & {ended: Promise<object>}} child
 * @returns {Promise<any>} the next message of the child
 */
function message(child) {
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.ended.then((how) => reject(new Error(`The child ended: ${JSON.stringify(how)}`)));
  });
}

/**
 * Runs a program to its end.
 * @param {string} program
 * @param {string[]} [args]
 * @param {object} [options] of `fork`
 * @returns {Promise<any>} its one message
 */
async function inChild(program, args, options) {
  const child = start(program, args, options);
  const result = await message(child);
  const { code, output } = await child.ended;
  if (code !== 0) throw new Error(`The child ended with ${code}: ${output}`);
  return result;
}

module.exports = { inChild, message, start };
