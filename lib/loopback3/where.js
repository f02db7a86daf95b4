'use strict';

/**
 * The `where` filter of a subscription: which changes of a model its client gets. It is what a client sent, so
 * it is checked, its size is bounded, and it is prepared once for all changes.
 *
 * What must stay true: a condition takes time in proportion to the value, whatever it is given. There are no
 * regular expressions, and a list is not searched for each value.
 */

const { compileLike } = require('./like');

/** How many conditions a filter may have, and how many `and`, `or`, `nor` within each other. */
const MAX_CONDITIONS = 100;
const MAX_DEPTH = 10;

/** How many values `inq` and `nin` may have, and how long a string may be. */
const MAX_VALUES = 1000;
const MAX_LENGTH = 1000;

/**
 * Tells whether data matches.
 *
 * @typedef {(data: object) => boolean} Matcher
 */

/** A filter that cannot be used; the message says why. */
class InvalidWhere extends Error {}

/** How values of a property are compared, by its type; as they are if it has none of these. */
const CONVERTERS = new Map([
  [Number, Number],
  [Date, (value) => new Date(value).getTime()],
  [Boolean, (value) => value === true || value === 'true' || value === 1],
  [String, String],
]);

/**
 * What each operator does with the value of a property, and what it is given: `test` receives both, `prepare` only
 * what it is given and returns the test of a value.
 */
const OPERATORS = {
  neq: { negates: 'eq' },
  eq: { test: isEqual },
  gt: { test: (value, to) => compare(value, to, (order) => order > 0) },
  gte: { test: (value, to) => compare(value, to, (order) => order >= 0) },
  lt: { test: (value, to) => compare(value, to, (order) => order < 0) },
  lte: { test: (value, to) => compare(value, to, (order) => order <= 0) },
  between: {
    test: (value, [from, to]) =>
      compare(value, from, (order) => order >= 0) && compare(value, to, (order) => order <= 0),
    count: 2,
  },
  inq: { prepare: isOneOf, count: MAX_VALUES },
  nin: { negates: 'inq' },
  like: { prepare: compileLike, isPattern: true },
  nlike: { negates: 'like' },
  ilike: {
    prepare: (pattern) => {
      const matches = compileLike(pattern.toLowerCase());
      return (value) => matches(value.toLowerCase());
    },
    isPattern: true,
  },
  nilike: { negates: 'ilike' },
};

/**
 * Prepares a filter.
 *
 * @param {unknown} where the filter
 * @param {(property: string) => unknown} typeOf gives the type of a property; `null` if clients may not see it
 * @returns {Matcher | undefined} `undefined` if it is no filter: everything matches
 * @throws {InvalidWhere} if it cannot be used
 */
function compileWhere(where, typeOf) {
  if (where === undefined || where === null) {
    return undefined;
  }
  const budget = { conditions: MAX_CONDITIONS };
  const matcher = compile(where, typeOf, budget, 0);
  return budget.conditions === MAX_CONDITIONS ? undefined : matcher;
}

/**
 * @param {unknown} where a filter or a part of one
 * @param {(property: string) => unknown} typeOf gives the type of a property
 * @param {{conditions: number}} budget how many conditions there may still be
 * @param {number} depth how many filters it is in
 * @returns {Matcher} whether all of it holds
 */
function compile(where, typeOf, budget, depth) {
  if (!isPlainObject(where)) {
    throw new InvalidWhere('`where` must be an object of properties and their conditions');
  }
  if (depth > MAX_DEPTH) {
    throw new InvalidWhere(`\`where\` must not be nested more than ${MAX_DEPTH} times`);
  }
  const matchers = Object.entries(where).map(([name, condition]) => {
    if (name === 'and' || name === 'or' || name === 'nor') {
      if (!Array.isArray(condition) || condition.length === 0) {
        throw new InvalidWhere(`\`${name}\` must be an array of conditions`);
      }
      spend(budget, condition.length);
      const parts = condition.map((part) => compile(part, typeOf, budget, depth + 1));
      if (name === 'and') {
        return (data) => parts.every((part) => part(data));
      }
      const isAny = (data) => parts.some((part) => part(data));
      return name === 'or' ? isAny : (data) => !isAny(data);
    }
    spend(budget, 1);
    return compileProperty(name, condition, typeOf, budget);
  });
  return (data) => matchers.every((matcher) => matcher(data));
}

/**
 * @param {string} name a property; dots lead into it
 * @param {unknown} condition a value, or an object of operators
 * @param {(property: string) => unknown} typeOf gives the type of a property
 * @param {{conditions: number}} budget how many conditions there may still be
 * @returns {Matcher} whether the condition holds
 */
function compileProperty(name, condition, typeOf, budget) {
  const path = name.split('.');
  const type = typeOf(path[0]);
  if (type === null) {
    throw new InvalidWhere(`\`where\` must not have the property ${JSON.stringify(name)}`);
  }
  const convert = path.length === 1 ? converterOf(type) : converterOf(undefined);
  const tests = isPlainObject(condition) ? Object.entries(condition) : [['eq', condition]];
  if (tests.length === 0) {
    throw new InvalidWhere(`The condition of ${JSON.stringify(name)} must have an operator`);
  }
  spend(budget, tests.length - 1);
  const checks = tests.map(([operator, value]) => compileTest(name, operator, value, convert));
  return (data) => {
    const found = valuesAt(data, path);
    return checks.every((check) => check(found));
  };
}

/**
 * @param {string} name a property
 * @param {string} operator the operator
 * @param {unknown} given what it is given
 * @param {(value: unknown) => unknown} convert gives a value in the form in which values of the property are
 *   compared
 * @returns {(values: unknown[]) => boolean} whether the values of the property pass
 */
function compileTest(name, operator, given, convert) {
  if (!Object.hasOwn(OPERATORS, operator)) {
    throw new InvalidWhere(
      `\`where\` has an operator that it may not have here: ${JSON.stringify(operator)}; it may have ` +
        `${Object.keys(OPERATORS).join(', ')}, and, or, nor`,
    );
  }
  const { negates } = OPERATORS[operator];
  if (negates !== undefined) {
    const holds = compileTest(name, negates, given, convert);
    return (values) => !holds(values);
  }
  const { test, prepare, count, isPattern } = OPERATORS[operator];
  if (isPattern) {
    if (typeof given !== 'string' || given.length > MAX_LENGTH) {
      throw new InvalidWhere(`\`${operator}\` of ${JSON.stringify(name)} must be a short string`);
    }
    const matches = prepare(given);
    return (values) => values.some((value) => typeof value === 'string' && matches(value));
  }
  let to;
  if (count === undefined) {
    to = converted(name, given, convert);
  } else {
    const isList = Array.isArray(given) && given.length <= count;
    if (!isList || (count === 2 && given.length !== 2)) {
      throw new InvalidWhere(`\`${operator}\` of ${JSON.stringify(name)} must be a short array`);
    }
    to = given.map((one) => converted(name, one, convert));
  }
  const passes = prepare === undefined ? (value) => test(value, to) : prepare(to);
  return (values) => values.some((value) => passes(convert(value)));
}

/**
 * @param {string} name a property
 * @param {unknown} value what it is compared with
 * @param {(value: unknown) => unknown} convert gives it in the form in which it is compared
 * @returns {unknown} it in that form
 */
function converted(name, value, convert) {
  const isObject = typeof value === 'object' && value !== null;
  const isLong = typeof value === 'string' && value.length > MAX_LENGTH;
  const result = isObject || isLong ? NaN : convert(value);
  if (Number.isNaN(result)) {
    throw new InvalidWhere(`The condition of ${JSON.stringify(name)} has an impossible value`);
  }
  return result;
}

/**
 * @param {unknown} type the type of a property
 * @returns {(value: unknown) => unknown} gives a value of it, as JSON has it or a client sent it, in the form in
 *   which values are compared; `null` for nothing
 */
function converterOf(type) {
  const convert = CONVERTERS.get(type) ?? ((value) => value);
  return (value) => {
    if (value === undefined || value === null) {
      return null;
    }
    // An object is like nothing that it is compared with, and what makes a string of it may throw.
    return typeof value === 'object' ? undefined : convert(value);
  };
}

/**
 * @param {object} data a change's data, as JSON has it
 * @param {string[]} path the names that lead to a property
 * @returns {unknown[]} its value; the elements if it is an array
 */
function valuesAt(data, path) {
  let value = data;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) {
      return [undefined];
    }
    value = value[name];
  }
  return Array.isArray(value) ? value : [value];
}

/**
 * @param {unknown} value a value of a property
 * @param {unknown} to what it is compared with
 * @returns {boolean} whether they are the same; an id may be a string for one and a number for the other
 */
function isEqual(value, to) {
  if (value === to) {
    return true;
  }
  return !isNothing(value) && !isNothing(to) && String(value) === String(to);
}

/**
 * @param {unknown[]} list what values of a property are compared with
 * @returns {(value: unknown) => boolean} whether a value is the same as one of them, as `isEqual` has it
 */
function isOneOf(list) {
  const texts = new Set(list.filter((one) => !isNothing(one)).map(String));
  const hasNothing = list.includes(null);
  return (value) => (isNothing(value) ? value === null && hasNothing : texts.has(String(value)));
}

/**
 * @param {unknown} value a value of a property
 * @param {unknown} to what it is compared with
 * @param {(order: number) => boolean} decide receives a number that is negative if the value comes first
 * @returns {boolean} what it decides; `false` if the two have no order
 */
function compare(value, to, decide) {
  if (typeof value !== typeof to || isNothing(value) || isNothing(to)) {
    return false;
  }
  return decide(value < to ? -1 : Number(value > to));
}

/**
 * @param {{conditions: number}} budget how many conditions there may still be
 * @param {number} count how many there are
 * @returns {void}
 */
function spend(budget, count) {
  budget.conditions -= count;
  if (budget.conditions < 0) {
    throw new InvalidWhere(`\`where\` must not have more than ${MAX_CONDITIONS} conditions`);
  }
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it stands for no value
 */
function isNothing(value) {
  return value === undefined || value === null;
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is an object that is no array
 */
function isPlainObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

module.exports = { InvalidWhere, compileWhere };
