'use strict';

/**
 * Binary values inside JSON: out, they become placeholders with attachments beside them; in, the
 * other way round (Socket.IO protocol 5, "Sending and receiving data").
 */

const { types } = require('util');

// V8 need not call this function in a loop over keys, as it would `Object.hasOwn()`.
const { hasOwnProperty } = Object.prototype;

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it travels as binary: Buffer, typed array, DataView, ArrayBuffer, SharedArrayBuffer
 */
function isBinary(value) {
  return ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value);
}

/** From this depth on the objects around a value are remembered, to notice a circle. */
const WATCH_DEPTH = 16;

/**
 * Looks for binary values, where JSON would look for values: behind `toJSON` too.
 *
 * @param {unknown} value any value
 * @param {number} [depth=0] how deep it lies
 * @param {Set<object>} [around] the objects around it, from `WATCH_DEPTH` on
 * @returns {boolean} whether one is in it; a circular value has none that could be sent
 */
function hasBinary(value, depth = 0, around = undefined) {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  // Asking whether a value is an ArrayBuffer is a call of C++, and most values are no such thing.
  if (Object.getPrototypeOf(value) !== Object.prototype && isBinary(value)) {
    return true;
  }
  if (depth < WATCH_DEPTH) {
    return holdsBinary(value, depth + 1, around);
  }
  const above = around ?? new Set();
  if (above.has(value)) {
    return false;
  }
  above.add(value);
  const found = holdsBinary(value, depth + 1, above);
  above.delete(value);
  return found;
}

/**
 * Looks into an object or array that is not binary itself.
 *
 * @param {object} value the object
 * @param {number} depth how deep its values lie
 * @param {Set<object>} [around] as for `hasBinary`
 * @returns {boolean} whether a binary value is in it
 */
function holdsBinary(value, depth, around) {
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      if (hasBinary(value[i], depth, around)) {
        return true;
      }
    }
    return false;
  }
  if (typeof value.toJSON === 'function') {
    return hasBinary(value.toJSON(), depth, around);
  }
  for (const key in value) {
    if (hasOwnProperty.call(value, key)) {
      const item = value[key];
      if (typeof item === 'object' && item !== null && hasBinary(item, depth, around)) {
        return true;
      }
    }
  }
  return false;
}

/**
 * Replaces binary values by placeholders.
 *
 * @param {unknown} value a value for which `hasBinary` is true
 * @param {Buffer[]} attachments takes the bytes, in the order of the placeholders
 * @returns {unknown} what JSON can carry in its place
 */
function deconstruct(value, attachments) {
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  if (isBinary(value)) {
    const bytes = ArrayBuffer.isView(value)
      ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
      : Buffer.from(value);
    return { _placeholder: true, num: attachments.push(bytes) - 1 };
  }
  if (Array.isArray(value)) {
    return value.map((item) => deconstruct(item, attachments));
  }
  if (typeof value.toJSON === 'function') {
    return deconstruct(value.toJSON(), attachments);
  }
  const copy = {};
  for (const key of Object.keys(value)) {
    define(copy, key, deconstruct(value[key], attachments));
  }
  return copy;
}

/**
 * Puts binary values in the place of their placeholders.
 *
 * @param {unknown} value what a client sent, from `JSON.parse`
 * @param {Buffer[]} attachments the attachments that came with it
 * @returns {unknown} the value, changed in place where it can be
 * @throws {RangeError} if a placeholder names no attachment, or the value is nested too deeply
 */
function reconstruct(value, attachments) {
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  if (value._placeholder === true) {
    const { num } = value;
    if (!Number.isInteger(num) || num < 0 || num >= attachments.length) {
      throw new RangeError('illegal attachments');
    }
    return attachments[num];
  }
  for (const key of Object.keys(value)) {
    const item = value[key];
    if (typeof item === 'object' && item !== null) {
      const whole = reconstruct(item, attachments);
      if (whole !== item) {
        define(value, key, whole);
      }
    }
  }
  return value;
}

/**
 * Sets an own property, whatever it is called.
 *
 * @param {object} object the object
 * @param {string} key any name; `__proto__` too
 * @param {unknown} value its value
 * @returns {void}
 */
function define(object, key, value) {
  if (key === '__proto__') {
    Object.defineProperty(object, key, {
      value,
      configurable: true,
      enumerable: true,
      writable: true,
    });
  } else {
    object[key] = value;
  }
}

module.exports = { define, deconstruct, hasBinary, isBinary, reconstruct };
