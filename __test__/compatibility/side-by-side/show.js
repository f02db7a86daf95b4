'use strict';

/**
 * Turns any value into one line of text, the same for equal values on every host and client.
 * Key order, own `__proto__` keys, `-0`, lone surrogates and the class of binary values show;
 * what is long is cut and closed with its length and hash, so that records stay readable.
 */

const { createHash } = require('node:crypto');

const MAX_STRING = 120;
const MAX_LINE = 600;

const hashOf = (text) => createHash('sha1').update(text).digest('hex').slice(0, 10);

/**
 * @param {string} text
 * @param {number} max the length above which only the beginning is kept
 * @returns {string}
 */
function clip(text, max) {
  return text.length <= max
    ? text
    : `${text.slice(0, 40)}… (${text.length} characters, ${hashOf(text)})`;
}

/**
 * @param {ArrayBuffer|ArrayBufferView} value
 * @returns {string} the class name and the bytes in hexadecimal
 */
function showBinary(value) {
  const bytes =
    value instanceof ArrayBuffer
      ? Buffer.from(value)
      : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return `${value.constructor.name}<${clip(bytes.toString('hex'), MAX_STRING)}>`;
}

/**
 * @param {any} value
 * @returns {[open: string, inner: any, close: string]|undefined} for arrays and objects that hold
 *   one value and nothing else
 */
function unwrap(value) {
  if (Array.isArray(value))
    return value.length === 1 && 0 in value ? ['[', value[0], ']'] : undefined;
  const prototype = typeof value === 'object' && value !== null && Object.getPrototypeOf(value);
  if (prototype !== Object.prototype) return undefined;
  const keys = Object.keys(value);
  return keys.length === 1 ? [`{${JSON.stringify(keys[0])}: `, value[keys[0]], '}'] : undefined;
}

/**
 * @param {any} value
 * @returns {string} the whole text, not cut as a line
 */
function write(value) {
  let [opened, closed] = ['', ''];
  // A loop, because thousands of levels must not depend on how deep the stack is already.
  for (let layer; (layer = unwrap(value)); value = layer[1]) {
    opened += layer[0];
    closed += layer[2];
  }
  return `${opened}${writeInner(value)}${[...closed].reverse().join('')}`;
}

/**
 * @param {any} value
 * @returns {string}
 */
function writeInner(value) {
  if (typeof value === 'string') return clip(JSON.stringify(value), MAX_STRING);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'function';
  if (Object.is(value, -0)) return '-0';
  if (typeof value !== 'object' || value === null) return String(value);
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return showBinary(value);
  if (value instanceof Date) return `Date(${value.getTime()})`;
  if (value instanceof Error) return `${value.name}(${value.message})`;
  if (Array.isArray(value)) return `[${value.map(write).join(', ')}]`;
  const fields = Object.keys(value).map((key) => `${JSON.stringify(key)}: ${write(value[key])}`);
  return `{${fields.join(', ')}}`;
}

/**
 * @param {any} value
 * @returns {string} one line
 */
function show(value) {
  return clip(write(value), MAX_LINE);
}

module.exports = { show };
