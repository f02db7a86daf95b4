'use strict';

/**
 * Makes values encodable for the servers of Socket.IO. Version 2 hides that it cannot encode a
 * value: it sends the client an error packet instead of throwing, so such a value must be found
 * before; and it takes typed arrays for plain objects. Versions 2 and 3 forget about `toJSON` where
 * there is binary. Versions 3 and 4 announce a Blob as an attachment that they then cannot send, after
 * which the client can read nothing more; version 4 does so with some typed arrays for clients of
 * version 2.
 */

const { Blob } = require('node:buffer');
const { UnsendableValueError } = require('../errors');

/** Far below the depth at which `JSON.stringify` gives up. */
const SURE_DEPTH = 1000;

/** Levels that the server puts around the value and calls that it makes before it encodes. */
const MARGIN = 100;

const { hasOwnProperty } = Object.prototype;

/**
 * Gives the value that the server is to encode in place of this one: the same, unless it holds
 * something that only a closer look can judge.
 *
 * @param {unknown} value a result, error or message of the application
 * @param {string} key the name it is sent under, for its `toJSON`
 * @returns {unknown} what to send
 * @throws {UnsendableValueError} if it cannot be sent
 */
function encodable(value, key) {
  try {
    return isPlain(value, 0) ? value : checked(value, key);
  } catch (error) {
    throw error instanceof UnsendableValueError ? error : new UnsendableValueError(error);
  }
}

/**
 * The same for version 4, which encodes everything but what is below.
 *
 * @param {unknown} value a result, error or message of the application
 * @param {string} key the name it is sent under, for its `toJSON`
 * @returns {unknown} what to send
 * @throws {UnsendableValueError} if it cannot be sent
 */
function encodableForVersion4(value, key) {
  try {
    return holdsUnencodable(value) ? checked(value, key) : value;
  } catch (error) {
    throw error instanceof UnsendableValueError ? error : new UnsendableValueError(error);
  }
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether there is a Blob in it, or a typed array whose memory is shared or belongs to another
 *   context of `node:vm`; what a `toJSON` gives is not looked at
 */
function holdsUnencodable(value) {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      if (holdsUnencodable(value[i])) {
        return true;
      }
    }
    return false;
  }
  if (ArrayBuffer.isView(value)) {
    return !Buffer.isBuffer(value) && !(value.buffer instanceof ArrayBuffer);
  }
  if (isBlob(value)) {
    return true;
  }
  if (typeof value.toJSON === 'function') {
    return false;
  }
  for (const key in value) {
    if (hasOwnProperty.call(value, key) && holdsUnencodable(value[key])) {
      return true;
    }
  }
  return false;
}

/**
 * @param {object} value any object
 * @returns {boolean} whether it is a Blob or a File
 */
function isBlob(value) {
  const prototype = Object.getPrototypeOf(value);
  return prototype !== Object.prototype && prototype !== null && value instanceof Blob;
}

/**
 * Tells whether a value is nothing but JSON and Buffers, at the price of a walk through it, which
 * is a small part of what encoding it costs.
 *
 * @param {unknown} value any value
 * @param {number} depth how deep it lies
 * @returns {boolean} true only if the server encodes it without fail
 */
function isPlain(value, depth) {
  if (typeof value !== 'object' || value === null) {
    return typeof value !== 'bigint';
  }
  if (depth === SURE_DEPTH) {
    return false;
  }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      if (!isPlain(value[i], depth + 1)) {
        return false;
      }
    }
    return true;
  }
  if (Buffer.isBuffer(value)) {
    return true;
  }
  if (ArrayBuffer.isView(value) || value instanceof BigInt || typeof value.toJSON === 'function') {
    return false;
  }
  // Version 3 calls it.
  if (typeof value.hasOwnProperty !== 'function' || isBlob(value)) {
    return false;
  }
  for (const key in value) {
    if (hasOwnProperty.call(value, key) && !isPlain(value[key], depth + 1)) {
      return false;
    }
  }
  return true;
}

/**
 * Copies a value as JSON would see it, binary apart, and makes sure that it can be encoded.
 *
 * @param {unknown} value any value
 * @param {string} key the name it is sent under
 * @returns {unknown} nothing but JSON and Buffers
 * @throws {Error} if it cannot be encoded
 */
function checked(value, key) {
  const state = { depth: 0 };
  const copy = copied(value, key, 0, state);
  if (state.depth >= SURE_DEPTH) {
    let wrapped = copy;
    for (let i = 0; i < MARGIN; i++) {
      wrapped = [wrapped];
    }
    JSON.stringify(wrapped);
  }
  return copy;
}

/**
 * @param {unknown} value any value
 * @param {string} key the name it lies under, for its `toJSON`
 * @param {number} depth how deep it lies
 * @param {{depth: number}} state keeps the greatest depth
 * @returns {unknown} the value as JSON sees it, with a Buffer in place of any binary value
 * @throws {Error} for a BigInt, and whatever the value's getters and `toJSON` methods throw
 */
function copied(value, key, depth, state) {
  let seen = value;
  if (isBinary(seen)) {
    return toBuffer(seen);
  }
  if (seen != null && (typeof seen === 'object' || typeof seen === 'bigint')) {
    const { toJSON } = seen;
    if (typeof toJSON === 'function') {
      seen = toJSON.call(seen, key);
      if (isBinary(seen)) {
        return toBuffer(seen);
      }
    }
  }
  if (typeof seen === 'bigint' || seen instanceof BigInt) {
    throw new TypeError('JSON has no BigInt');
  }
  if (typeof seen === 'function' || typeof seen === 'symbol') {
    return undefined;
  }
  if (typeof seen !== 'object' || seen === null) {
    return seen;
  }
  if (isBlob(seen)) {
    throw new TypeError('The bytes of a Blob have to be read before they can be sent');
  }
  if (seen instanceof Number || seen instanceof String || seen instanceof Boolean) {
    return JSON.parse(JSON.stringify(seen));
  }
  state.depth = Math.max(state.depth, depth);
  if (Array.isArray(seen)) {
    // Pushed, not allocated: an array that began with holes can be encoded half as deep.
    const array = [];
    for (let i = 0; i < seen.length; i++) {
      array.push(copied(seen[i], String(i), depth + 1, state));
    }
    return array;
  }
  const object = {};
  for (const name of Object.keys(seen)) {
    // Defined, not assigned: `__proto__` is a name like any other.
    Object.defineProperty(object, name, {
      value: copied(seen[name], name, depth + 1, state),
      configurable: true,
      enumerable: true,
      writable: true,
    });
  }
  return object;
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it travels as binary
 */
function isBinary(value) {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer;
}

/**
 * @param {ArrayBuffer | ArrayBufferView} binary any binary value
 * @returns {Buffer} the same bytes, shared
 */
function toBuffer(binary) {
  if (Buffer.isBuffer(binary)) {
    return binary;
  }
  return binary instanceof ArrayBuffer
    ? Buffer.from(binary)
    : Buffer.from(binary.buffer, binary.byteOffset, binary.byteLength);
}

module.exports = { encodable, encodableForVersion4 };
