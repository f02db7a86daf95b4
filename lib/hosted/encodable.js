'use strict';

/**
 * Makes values encodable for the servers of Socket.IO. Version 2 hides that it cannot encode a
 * value: it sends the client an error packet instead of throwing, so such a value must be found
 * before; and it takes typed arrays for plain objects. Versions 2 and 3 forget about `toJSON` where
 * there is binary. Versions 3 and 4 announce a Blob as an attachment that they then cannot send, after
 * which the client can read nothing more; version 4 does so with some typed arrays for clients of
 * version 2. All of them take the bytes of binary values when a transport is ready for them, and throw into the
 * event loop if these have been transferred by then, to a worker for example.
 *
 * What must stay true: the server gets binary values of its own, with the bytes that they have now.
 */

const { Blob } = require('node:buffer');
const { UnsendableValueError } = require('../errors');
const { define, isBinary } = require('../native/attachments');

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
 * @returns {boolean} whether there is a Blob or a binary value in it, or there may be one behind a `toJSON`
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
  if (isOfServer(value)) {
    return true;
  }
  if (typeof value.toJSON === 'function') {
    // The server looks for binary values behind `toJSON` and takes them from the object itself.
    return !(value instanceof Date);
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
 * @returns {boolean} whether the server would send it as an attachment: binary, a Blob or a File
 */
function isOfServer(value) {
  return !isOrdinary(value) && (isBinary(value) || value instanceof Blob);
}

/**
 * Tells whether a value is nothing but JSON, at the price of a walk through it, which
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
  if (value instanceof BigInt || typeof value.toJSON === 'function') {
    return false;
  }
  // Version 3 calls it.
  if (typeof value.hasOwnProperty !== 'function' || isOfServer(value)) {
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
 * @returns {unknown} nothing but JSON and bytes of its own
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
 * @param {string | number} key the name or index it lies under, for its `toJSON`
 * @param {number} depth how deep it lies
 * @param {{depth: number}} state keeps the greatest depth
 * @returns {unknown} the value as JSON sees it, with copies of binary values
 * @throws {Error} for a BigInt, and whatever the value's getters and `toJSON` methods throw
 */
function copied(value, key, depth, state) {
  if (isPrimitive(value)) {
    return value;
  }
  let seen = value;
  if (!isOrdinary(seen) && isBinary(seen)) {
    return copyOf(seen);
  }
  if (typeof seen === 'object' || typeof seen === 'bigint') {
    const { toJSON } = seen;
    if (typeof toJSON === 'function') {
      seen = toJSON.call(seen, String(key));
      if (isPrimitive(seen)) {
        return seen;
      }
      if (!isOrdinary(seen) && isBinary(seen)) {
        return copyOf(seen);
      }
    }
  }
  if (typeof seen === 'bigint' || (!isOrdinary(seen) && seen instanceof BigInt)) {
    throw new TypeError('JSON has no BigInt');
  }
  if (typeof seen === 'function' || typeof seen === 'symbol') {
    return undefined;
  }
  state.depth = Math.max(state.depth, depth);
  if (Array.isArray(seen)) {
    // Pushed, not allocated: an array that began with holes can be encoded half as deep.
    const array = [];
    for (let i = 0; i < seen.length; i++) {
      array.push(copied(seen[i], i, depth + 1, state));
    }
    return array;
  }
  if (!isOrdinary(seen)) {
    if (seen instanceof Blob) {
      throw new TypeError('The bytes of a Blob have to be read before they can be sent');
    }
    if (seen instanceof Number || seen instanceof String || seen instanceof Boolean) {
      return JSON.parse(JSON.stringify(seen));
    }
  }
  // V8 copies an object at once much faster than property by property.
  const object = { ...seen };
  for (const name of Object.keys(object)) {
    const item = object[name];
    if (!isPrimitive(item)) {
      define(object, name, copied(item, name, depth + 1, state));
    }
  }
  return object;
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is sent as it is: most values are
 */
function isPrimitive(value) {
  return (
    value === null ||
    typeof value === 'string' ||
    typeof value === 'number' ||
    typeof value === 'boolean' ||
    value === undefined
  );
}

/**
 * @param {object} value any object
 * @returns {boolean} whether it is of no class that is looked for, which costs more than this
 */
function isOrdinary(value) {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === Array.prototype;
}

/**
 * @param {ArrayBuffer | SharedArrayBuffer | ArrayBufferView} binary any binary value
 * @returns {Buffer | ArrayBuffer} the same bytes, copied; MessagePack knows an ArrayBuffer as such
 * @throws {TypeError} if there are none any more, as they have been transferred
 */
function copyOf(binary) {
  if (binary instanceof ArrayBuffer) {
    return binary.slice(0);
  }
  // What is no view itself has a `byteLength` alone.
  const { buffer = binary, byteOffset, byteLength } = binary;
  return Buffer.from(new Uint8Array(buffer, byteOffset, byteLength));
}

module.exports = { encodable, encodableForVersion4 };
