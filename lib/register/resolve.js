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
 * @param {string} specifier what is required or imported
 * @param {string} [from] path or file URL of the module that does so
 * @returns {string | undefined} path of the file that stands in; undefined if it is not socket.io
 */
function substituteFor(specifier, from) {
  if (specifier !== 'socket.io') {
    return undefined;
  }
  return substituteOf(installedVersion(from));
}

/**
 * @param {string} file path of a module
 * @returns {string | undefined} path of the file that stands in, if the module is the main file of an
 *   installed socket.io
 */
function substituteForMain(file) {
  if (path.basename(file) !== 'index.js' || !path.isAbsolute(file)) {
    return undefined;
  }
  // The main file is `dist/index.js` since version 3, and `lib/index.js` in version 2.
  const home = path.dirname(path.dirname(file));
  try {
    const { name, main, version } = JSON.parse(
      fs.readFileSync(path.join(home, 'package.json'), 'utf8'),
    );
    const isMain = name === 'socket.io' && require.resolve(path.join(home, main)) === file;
    return isMain ? substituteOf(version) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {string} version a version of socket.io
 * @returns {string} path of the file that stands in for it
 */
function substituteOf(version) {
  return Number.parseInt(version, 10) <= 2 ? OF_2 : OF_4;
}

/**
 * @param {string} [from] path or file URL of a module
 * @returns {string} the version of socket.io it would get; empty if there is none
 */
function installedVersion(from) {
  const isFile = from !== undefined && (path.isAbsolute(from) || from.startsWith('file:'));
  try {
    const installed = createRequire(isFile ? from : path.join(process.cwd(), 'index.js'));
    return installed('socket.io/package.json').version;
  } catch {
    return '';
  }
}

module.exports = { substituteFor, substituteForMain };
