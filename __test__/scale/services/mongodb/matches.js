'use strict';

/**
 * The part of MongoDB's query language that `@socket.io/mongo-adapter` uses.
 */

const { BSON } = require('mongodb');

/**
 * @param {unknown} value of a document whose types were kept
 * @returns {unknown} what `===` compares
 */
function comparable(value) {
  if (value instanceof BSON.ObjectId) return value.toHexString();
  return value?._bsontype === undefined ? value : value.valueOf();
}

/**
 * @param {object} document
 * @param {string} path with dots
 * @returns {unknown}
 */
function at(document, path) {
  return path.split('.').reduce((value, key) => value?.[key], document);
}

/**
 * @param {unknown} value of a document: an array equals each of its elements
 * @param {unknown[]} wanted
 * @returns {boolean}
 */
function equalsOne(value, wanted) {
  const found = (Array.isArray(value) ? value : [value]).map(comparable);
  return wanted.map(comparable).some((one) => found.includes(one));
}

/** What a value is held against, by operator. */
const OPERATORS = {
  $eq: (value, wanted) => equalsOne(value, [wanted]),
  $ne: (value, unwanted) => !equalsOne(value, [unwanted]),
  $in: (value, wanted) => equalsOne(value, wanted),
  $nin: (value, unwanted) => !equalsOne(value, unwanted),
  $gt: (value, limit) => value !== undefined && comparable(value) > comparable(limit),
  $size: (value, size) => Array.isArray(value) && value.length === comparable(size),
};

/**
 * @param {unknown} condition
 * @returns {boolean} whether it is made of operators
 */
function hasOperators(condition) {
  return (
    condition !== null &&
    typeof condition === 'object' &&
    condition._bsontype === undefined &&
    Object.keys(condition).some((key) => key.startsWith('$'))
  );
}

/**
 * @param {object} document
 * @param {object} query
 * @returns {boolean}
 * @throws {Error} if the query needs more than is here
 */
function matches(document, query) {
  return Object.entries(query).every(([key, condition]) => {
    if (key === '$and') return condition.every((one) => matches(document, one));
    if (key === '$or') return condition.some((one) => matches(document, one));
    const value = at(document, key);
    if (!hasOperators(condition)) return OPERATORS.$eq(value, condition);
    return Object.entries(condition).every(([operator, operand]) => {
      const holds = OPERATORS[operator];
      if (!holds) throw new Error(`The stand-in for MongoDB has no ${operator}`);
      return holds(value, operand);
    });
  });
}

module.exports = { comparable, at, matches };
