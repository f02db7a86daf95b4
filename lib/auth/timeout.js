'use strict';

/** How long a socket may stay pending, as applications write it and as timers take it. */

const DEFAULT_TIMEOUT = 3000;

/** The longest delay that `setTimeout` keeps; it fires at once for a longer one. */
const MAX_DELAY = 2 ** 31 - 1;

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
