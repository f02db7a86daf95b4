'use strict';

/**
 * The options of `start()`, for both kinds of server.
 */

const { isRegExp } = require('util').types;
const { checkOptions, isCount } = require('../check-options');

/**
 * @typedef {object} StartOptions
 * @property {(string | RegExp)[]} [open=[]] namespaces that are left out when a whole server is served:
 *   their names, with a slash in front or without, or patterns that fit their names
 * @property {number} [maxAuthenticationAttempts=100] how many attempts of a socket to authenticate may
 *   have failed or be under way, before its connection is closed
 * @property {number} [maxPendingPerAddress=10000] how many sockets of one address may be pending
 * @property {number} [maxSubscriptions=100] how many subscriptions a socket may have
 * @property {(socket: object) => string | undefined} [clientAddress] gives the address of a socket's
 *   client; without, that of its connection
 */

/** The default namespace: the one whose sockets authenticate where a whole server is served. */
const DEFAULT = '/';

const COUNT = { check: isCount, needs: 'a whole number, 1 or more, or Infinity for no limit' };

/** What each option needs, and what it is without. */
const RULES = {
  open: {
    fallback: [],
    check: (value) => Array.isArray(value) && value.every(isEntry),
    needs:
      "an array of namespace names other than '/' and regular expressions, such as " +
      "{ open: ['/admin', /^\\/public/] }",
    complete: (entries) => entries.map(withSlash),
  },
  maxAuthenticationAttempts: { ...COUNT, fallback: 100 },
  maxPendingPerAddress: { ...COUNT, fallback: 10_000 },
  maxSubscriptions: { ...COUNT, fallback: 100 },
  clientAddress: {
    fallback: undefined,
    check: (value) => typeof value === 'function',
    needs: 'a function (socket) that returns the address of the client',
  },
};

/**
 * Checks and completes the options of `start()`.
 *
 * @param {unknown} [given] what the application gave
 * @returns {StartOptions} all of them; names with a slash in front
 * @throws {InvalidOptionError} if one is unknown or impossible
 */
function startOptions(given) {
  return checkOptions(RULES, given, 'start()', 'the second argument of start()');
}

/**
 * @param {unknown} entry one of what the option `open` lists
 * @returns {boolean} whether it is the name of a namespace other than the default one, or a pattern
 */
function isEntry(entry) {
  return isRegExp(entry) || (typeof entry === 'string' && withSlash(entry) !== DEFAULT);
}

/**
 * @param {string | RegExp} entry a name or a pattern
 * @returns {string | RegExp} the same, a name with a slash in front
 */
function withSlash(entry) {
  return typeof entry === 'string' && !entry.startsWith('/') ? `/${entry}` : entry;
}

module.exports = { DEFAULT, startOptions };
