'use strict';

/** How long a socket may stay pending, as applications write it and as timers take it. */

const { MAX_DELAY } = require('../check-options');

const DEFAULT_TIMEOUT = 3000;

/**
 * @param {unknown} timeout milliseconds as a number or numeric string, or `'none'`; what is false
 *   means the default
 * @returns {number | null} milliseconds from 1 on; 1 for whatever `setTimeout` fires at once for;
 *   `null` for ever
 */
function delayOf(timeout) {
  if (timeout === 'none') {
    return null;
  }
  const delay = typeof timeout === 'symbol' ? NaN : Number(timeout || DEFAULT_TIMEOUT);
  return delay >= 1 && delay <= MAX_DELAY ? delay : 1;
}

module.exports = { DEFAULT_TIMEOUT, delayOf };
