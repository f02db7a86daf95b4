'use strict';

/**
 * The options of the native server: their defaults, which are those of Socket.IO 4, and what may
 * be given.
 */

const { InvalidOptionError } = require('./errors');

const MAX_DELAY = 2 ** 31 - 1;

/**
 * @typedef {object} ServerOptions
 * @property {string} [path='/socket.io'] where clients connect
 * @property {boolean} [serveClient=true] whether to serve `socket.io.js` under the path
 * @property {number} [pingInterval=25000] ms between pings
 * @property {number} [pingTimeout=20000] ms a client may take to answer one
 * @property {number} [upgradeTimeout=10000] ms an upgrade to websocket may take
 * @property {number} [connectTimeout=45000] ms a connection may live without joining a namespace
 * @property {number} [maxHttpBufferSize=1e6] bytes of the largest message of a client
 * @property {number} [maxBackpressure=16777216] bytes that may wait for a client that does not read,
 *   before its connection is closed
 */

const RULES = {
  path: { fallback: '/socket.io', check: isPath, needs: "a path that begins with '/'" },
  serveClient: { fallback: true, check: isBoolean, needs: 'true or false' },
  pingInterval: { fallback: 25_000, check: isDelay, needs: 'milliseconds, 1 to 2147483647' },
  pingTimeout: { fallback: 20_000, check: isDelay, needs: 'milliseconds, 1 to 2147483647' },
  upgradeTimeout: { fallback: 10_000, check: isDelay, needs: 'milliseconds, 1 to 2147483647' },
  connectTimeout: { fallback: 45_000, check: isDelay, needs: 'milliseconds, 1 to 2147483647' },
  maxHttpBufferSize: { fallback: 1e6, check: isSize, needs: 'bytes, 1 to 2147483647' },
  maxBackpressure: { fallback: 16 * 1024 * 1024, check: isSize, needs: 'bytes, 1 to 2147483647' },
};

/**
 * Completes and checks options.
 *
 * @param {ServerOptions} [given] what the application gave
 * @returns {Required<ServerOptions>} all of them
 * @throws {InvalidOptionError} if one is unknown or impossible
 */
function serverOptions(given = {}) {
  if (typeof given !== 'object' || given === null) {
    throw new InvalidOptionError('options', given, 'an object');
  }
  const options = {};
  for (const [name, { fallback }] of Object.entries(RULES)) {
    options[name] = fallback;
  }
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(RULES, name)) {
      throw new InvalidOptionError(name, value, undefined, Object.keys(RULES));
    }
    if (value !== undefined) {
      const { check, needs } = RULES[name];
      if (!check(value)) {
        throw new InvalidOptionError(name, value, needs);
      }
      options[name] = value;
    }
  }
  options.path = options.path.replace(/\/$/, '');
  return options;
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is a path
 */
function isPath(value) {
  return typeof value === 'string' && value.startsWith('/') && !/[?#\s]/.test(value);
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is a boolean
 */
function isBoolean(value) {
  return typeof value === 'boolean';
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is a delay a timer keeps
 */
function isDelay(value) {
  return Number.isInteger(value) && value >= 1 && value <= MAX_DELAY;
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is a number of bytes
 */
function isSize(value) {
  return Number.isInteger(value) && value >= 1 && value <= MAX_DELAY;
}

module.exports = { serverOptions };
