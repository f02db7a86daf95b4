'use strict';

/**
 * The options of `defineMethod()`.
 */

const { MAX_DELAY, checkOptions, isCount, isDelay } = require('../check-options');

/**
 * @typedef {object} Rate
 * @property {number} limit how many calls
 * @property {number} per in how many ms
 */

/**
 * @typedef {object} MethodOptions
 * @property {Function} [authorize] `(socket, credentials, args)`: whether the call is allowed
 * @property {object} [validate] a schema with Standard Schema's `~standard`
 * @property {number} [timeout] ms until the call is given up
 * @property {number} concurrency how many calls of a socket may be under way
 * @property {Rate} [rate] how often a socket may call
 * @property {boolean} context whether the handler gets `{ signal, deadline }`
 */

/** Rules that subscriptions share. */
const AUTHORIZE = {
  fallback: undefined,
  check: (value) => typeof value === 'function',
  needs: 'a function (socket, credentials, args) that returns whether the client may',
};
const VALIDATE = {
  fallback: undefined,
  check: isSchema,
  needs:
    "a schema that implements Standard Schema ('~standard'), such as one of zod, valibot or arktype",
};

/** What each option needs, and what it is without. */
const RULES = {
  authorize: AUTHORIZE,
  validate: VALIDATE,
  timeout: {
    fallback: undefined,
    check: isDelay,
    needs: `a whole number of milliseconds from 1 to ${MAX_DELAY}`,
  },
  concurrency: {
    fallback: Infinity,
    check: isCount,
    needs: 'a whole number, 1 or more, or Infinity for no limit',
  },
  rate: {
    fallback: undefined,
    check: isRate,
    needs:
      'an object { limit, per }: a whole number of calls, 1 or more, in a number of milliseconds',
    complete: ({ limit, per }) => Object.freeze({ limit, per }),
  },
  context: {
    fallback: false,
    check: (value) => typeof value === 'boolean',
    needs: 'true or false',
  },
};

/**
 * Checks and completes the options of `defineMethod()`.
 *
 * @param {string} name the method
 * @param {unknown} given what the application gave
 * @returns {MethodOptions} all of them
 * @throws {InvalidOptionError} if one is unknown or impossible
 */
function methodOptions(name, given) {
  const method = `the method '${name}'`;
  return Object.freeze(checkOptions(RULES, given, method, `the options of ${method}`));
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it implements Standard Schema; some libraries have schemas that are functions
 */
function isSchema(value) {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof value['~standard']?.validate === 'function'
  );
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it says how often
 */
function isRate(value) {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.keys(value).every((key) => key === 'limit' || key === 'per') &&
    Number.isSafeInteger(value.limit) &&
    value.limit >= 1 &&
    Number.isFinite(value.per) &&
    value.per > 0
  );
}

module.exports = { AUTHORIZE, VALIDATE, methodOptions };
