'use strict';

/**
 * The option `perMessageDeflate`: the options of the npm package `ws`, with the default of Engine.IO.
 */

const { InvalidOptionError } = require('../errors');

/**
 * @typedef {object} DeflateOptions
 * @property {number} [threshold=1024] the length in bytes from which on a message is compressed
 * @property {boolean} [serverNoContextTakeover] whether the server compresses each message by itself;
 *   without it, as each client asks for, and if `false`, a client that asks for it is refused
 * @property {boolean} [clientNoContextTakeover] whether clients have to compress each message by itself
 * @property {boolean | number} [serverMaxWindowBits] the size of the window of what the server sends, from
 *   8 to 15; if `false`, a client that asks for a size is refused
 * @property {boolean | number} [clientMaxWindowBits] the size of the window of what clients send, from 8
 *   to 15; then a client that does not offer to have it limited is refused
 * @property {number} [concurrencyLimit] without effect, since one thread compresses
 * @property {import('zlib').ZlibOptions} [zlibDeflateOptions] of these, `level` has an effect
 * @property {import('zlib').ZlibOptions} [zlibInflateOptions] without effect
 */

/** From this length on Engine.IO compresses. */
const THRESHOLD = 1024;

const WHOLE = 'a whole number, 0 or more';
const BOOLEAN = { check: (value) => typeof value === 'boolean', needs: 'true or false' };
const WINDOW = {
  check: (value) => typeof value === 'boolean' || isWhole(value, 8, 15),
  needs: 'true, false, or a whole number from 8 to 15',
};

/** What each option of zlib needs. What would change the stream for clients is not there. */
const ZLIB_RULES = {
  level: { check: (value) => isWhole(value, -1, 9), needs: 'a whole number from -1 to 9' },
  memLevel: { check: (value) => isWhole(value, 1, 9), needs: 'a whole number from 1 to 9' },
  strategy: { check: (value) => isWhole(value, 0, 4), needs: 'a whole number from 0 to 4' },
  chunkSize: { check: (value) => isWhole(value, 64), needs: 'a whole number, 64 or more' },
  windowBits: { check: (value) => isWhole(value, 8, 15), needs: 'a whole number from 8 to 15' },
  flush: { check: (value) => isWhole(value, 0, 5), needs: 'a whole number from 0 to 5' },
  finishFlush: { check: (value) => isWhole(value, 0, 5), needs: 'a whole number from 0 to 5' },
};

const ZLIB = {
  check: (value) => typeof value === 'object' && !Array.isArray(value),
  needs: 'an object such as { level: 6 }',
  rules: ZLIB_RULES,
};

/** What each option needs. */
const RULES = {
  threshold: { check: (value) => value === Infinity || isWhole(value, 0), needs: WHOLE },
  serverNoContextTakeover: BOOLEAN,
  clientNoContextTakeover: BOOLEAN,
  serverMaxWindowBits: WINDOW,
  clientMaxWindowBits: WINDOW,
  concurrencyLimit: { check: (value) => value === Infinity || isWhole(value, 0), needs: WHOLE },
  zlibDeflateOptions: ZLIB,
  zlibInflateOptions: ZLIB,
};

/**
 * Checks and completes what was given for `perMessageDeflate`.
 *
 * @param {true | DeflateOptions} given what was given
 * @returns {DeflateOptions} all that has a value
 * @throws {InvalidOptionError} if an option is unknown or impossible
 */
function checkDeflate(given) {
  const options = given === true ? {} : check('perMessageDeflate', given, RULES);
  return { threshold: THRESHOLD, ...options };
}

/**
 * @param {string} path where the options are, for messages
 * @param {object} given options
 * @param {Record<string, {check: (value: unknown) => boolean, needs: string, rules?: object}>} rules what
 *   each needs
 * @returns {object} those that have a value
 * @throws {InvalidOptionError} if one is unknown or impossible
 */
function check(path, given, rules) {
  const options = {};
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(rules, name)) {
      const known = Object.keys(rules);
      throw new InvalidOptionError(name, value, undefined, known, `the option '${path}'`);
    }
    const rule = rules[name];
    if (value === undefined || value === null) {
      continue;
    }
    if (!rule.check(value)) {
      throw new InvalidOptionError(`${path}.${name}`, value, rule.needs);
    }
    options[name] = rule.rules ? check(`${path}.${name}`, value, rule.rules) : value;
  }
  return options;
}

/**
 * @param {unknown} value any value
 * @param {number} least the least it may be
 * @param {number} [most] the most
 * @returns {boolean} whether it is a whole number between them
 */
function isWhole(value, least, most = Number.MAX_SAFE_INTEGER) {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}

module.exports = { checkDeflate };
