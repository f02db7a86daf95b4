'use strict';

/**
 * The options of an instance: the second argument of `LoopbackSocket.get()` and of the constructor.
 */

const { checkOptions } = require('../check-options');
const { ERRORS } = require('./definitions');

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
};

/**
 * @param {unknown} given a timeout, or an object of options
 * @returns {{timeout: unknown, errors: string}} all options
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
    : { timeout: given, errors: ERRORS.FIELDS };
}

module.exports = { instanceOptions };
