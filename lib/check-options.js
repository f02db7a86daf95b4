'use strict';

/**
 * Checks the options that an application gives to a function, by a table of rules.
 */

const { InvalidOptionError } = require('./errors');

/** The longest delay that a timer of Node keeps, in ms; it fires at once for a longer one. */
const MAX_DELAY = 2 ** 31 - 1;

/**
 * What one option needs, and what it is without.
 *
 * @typedef {object} Rule
 * @property {unknown} fallback its value if it is not given
 * @property {(value: unknown) => boolean} check whether a value is possible
 * @property {string} needs what it must be, for the message of the error
 * @property {(value: any, whose: string) => unknown} [complete] gives what to use for a value that is possible
 */

/**
 * Checks and completes options.
 *
 * @param {Record<string, Rule>} rules by the name of the option
 * @param {unknown} given what the application gave; `undefined` for no options
 * @param {string} whose what has these options, such as `start()` or `the method 'add'`
 * @param {string} place which argument they are, such as `the second argument of start()`
 * @returns {Record<string, any>} all options
 * @throws {InvalidOptionError} if one is unknown or impossible
 */
function checkOptions(rules, given = {}, whose, place) {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new InvalidOptionError('options', given, `an object, ${place}`);
  }
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(rules, name)) {
      throw new InvalidOptionError(name, given[name], undefined, Object.keys(rules), whose);
    }
  }
  const options = {};
  for (const [name, { fallback, check, needs, complete = (it) => it }] of Object.entries(rules)) {
    const value = given[name];
    if (value !== undefined && !check(value)) {
      throw new InvalidOptionError(name, value, needs, undefined, whose);
    }
    options[name] = value === undefined ? fallback : complete(value, whose);
  }
  return options;
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is a limit: a whole number from 1 on, or Infinity for none
 */
function isCount(value) {
  return value === Infinity || (Number.isSafeInteger(value) && value >= 1);
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is a delay that a timer keeps: a whole number of ms from 1 on
 */
function isDelay(value) {
  return Number.isSafeInteger(value) && value >= 1 && value <= MAX_DELAY;
}

module.exports = { MAX_DELAY, checkOptions, isCount, isDelay };
