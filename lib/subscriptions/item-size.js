'use strict';

/**
 * How many bytes an item takes when it is encoded, about: what waits for slow subscribers is limited by bytes.
 */

const { deconstruct, hasBinary } = require('../native/attachments');
const { UnsendableValueError } = require('../errors');

/**
 * @param {unknown} item an item
 * @returns {number} its length as JSON, in UTF-16 code units, and that of its binary values in bytes
 * @throws {UnsendableValueError} if it cannot be sent
 */
function sizeOf(item) {
  try {
    if (!hasBinary(item)) {
      return JSON.stringify(item)?.length ?? 0;
    }
    const attachments = [];
    const text = JSON.stringify(deconstruct(item, attachments)) ?? '';
    return attachments.reduce((sum, { byteLength }) => sum + byteLength, text.length);
  } catch (error) {
    throw new UnsendableValueError(error);
  }
}

module.exports = { sizeOf };
