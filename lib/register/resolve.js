'use strict';

/**
 * Which file stands in for socket.io: that with the defaults of the version that the application
 * has installed.
 */

const fs = require('fs');
const { createRequire } = require('module');
const path = require('path');

const OF_2 = require.resolve('./socket.io-2');
const OF_4 = require.resolve('./socket.io');

/**
 * What stands in for a socket.io.
 *
 * @typedef {object} Substitute
 * @property {string} file path of the file
 * @property {string | undefined} home path of the installed socket.io, if there is one
 * @property {string} version its version; empty if there is none
 */

/**
 * @param {string} specifier what is required or imported
 * @param {string} [from] path or file URL of the module that does so
 * @returns {Substitute | undefined} what stands in; undefined if it is not socket.io
 */
function substituteFor(specifier, from) {
  if (specifier !== 'socket.io') {
    return undefined;
  }
  const isFile = from !== undefined && (path.isAbsolute(from) || from.startsWith('file:'));
  const installed = createRequire(isFile ? from : path.join(process.cwd(), 'index.js'));
  const home = homeFrom(installed);
  return home === undefined ? substituteOf('') : substituteOf(manifestIn(home).version, home);
}

/**
 * @param {NodeRequire} installed the `require` of a module
 * @returns {string | undefined} where the socket.io is installed that the module would get
 */
function homeFrom(installed) {
  try {
    return path.dirname(installed.resolve('socket.io/package.json'));
  } catch {
    // It is not installed, or is version 3, which does not export that file.
    const folders = installed.resolve.paths('socket.io') ?? [];
    return folders
      .map((folder) => path.join(folder, 'socket.io'))
      .find((home) => fs.existsSync(path.join(home, 'package.json')));
  }
}

/**
 * @param {string} home where a package is
 * @returns {{name?: string, main?: string, version?: string}} its manifest; empty if it cannot be read
 */
function manifestIn(home) {
  try {
    return JSON.parse(fs.readFileSync(path.join(home, 'package.json'), 'utf8'));
  } catch {
    return {};
  }
}

/**
 * @param {string} file path of a module
 * @returns {Substitute | undefined} what stands in, if the module is the main file of an installed socket.io
 */
function substituteForMain(file) {
  if (path.basename(file) !== 'index.js' || !path.isAbsolute(file)) {
    return undefined;
  }
  // The main file is `dist/index.js` since version 3, and `lib/index.js` in version 2.
  const home = path.dirname(path.dirname(file));
  const { name, main, version } = manifestIn(home);
  try {
    const isMain = name === 'socket.io' && require.resolve(path.join(home, main)) === file;
    return isMain ? substituteOf(version, home) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {string} [version=''] a version of socket.io
 * @param {string} [home] where it is installed
 * @returns {Substitute} what stands in for it
 */
function substituteOf(version = '', home) {
  return { file: Number.parseInt(version, 10) <= 2 ? OF_2 : OF_4, home, version };
}

module.exports = { substituteFor, substituteForMain };
