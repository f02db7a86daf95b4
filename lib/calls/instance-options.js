'use strict';

/**
 * The options of an instance: the second argument of `LoopbackSocket.get()` and of the constructor.
 */

const { checkOptions } = require('../check-options');
const { ERRORS } = require('./definitions');

/** After how many ms a call is slow, if an instance does not say. */
const SLOW_AFTER = 1000;

const RULES = {
  timeout: {
    fallback: undefined,
    // What a timeout may be is as in 0.4: anything.
    check: () => true,
    needs: 'a number of milliseconds',
  },
  errors: {
    fallback: ERRORS.FIELDS,
    check: (value) => Object.values(ERRORS).includes(value),
    needs: Object.values(ERRORS)
      .map((value) => `'${value}'`)
      .join(' or '),
  },
  slowAfter: {
    fallback: SLOW_AFTER,
    check: (value) => typeof value === 'number' && value >= 0,
    needs: 'a number of milliseconds, 0 or more, or Infinity for never',
  },
};

/**
 * @param {unknown} given a timeout, or an object of options
 * @returns {{timeout: unknown, errors: string, slowAfter: number}} all options
 * @throws {InvalidOptionError} if one is unknown or impossible
 */
function instanceOptions(given) {
  return typeof given === 'object' && given !== null && !Array.isArray(given)
    ? checkOptions(
        RULES,
        given,
        'LoopbackSocket.get()',
        'the second argument of LoopbackSocket.get()',
      )
    : { timeout: given, errors: ERRORS.FIELDS, slowAfter: SLOW_AFTER };
}

module.exports = { instanceOptions };
