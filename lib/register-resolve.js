'use strict';

/**
 * Which file stands in for socket.io: that with the defaults of the version that the application
 * has installed.
 */

const { createRequire } = require('module');
const path = require('path');

const OF_2 = require.resolve('./register-socket.io-2');
const OF_4 = require.resolve('./register-socket.io');

/**
 * @param {string} specifier what is required or imported
 * @param {string} [from] path or file URL of the module that does so
 * @returns {string | undefined} path of the file that stands in; undefined if it is not socket.io
 */
function substituteFor(specifier, from) {
  if (specifier !== 'socket.io') {
    return undefined;
  }
  return installedMajor(from) <= 2 ? OF_2 : OF_4;
}

/**
 * @param {string} [from] path or file URL of a module
 * @returns {number} the major version of socket.io it would get; Infinity if there is none
 */
function installedMajor(from) {
  const isFile = from !== undefined && (path.isAbsolute(from) || from.startsWith('file:'));
  try {
    const installed = createRequire(isFile ? from : path.join(process.cwd(), 'index.js'));
    return Number.parseInt(installed('socket.io/package.json').version, 10);
  } catch {
    return Infinity;
  }
}

module.exports = { substituteFor };
