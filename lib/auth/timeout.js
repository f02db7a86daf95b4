'use strict';

/** How long a socket may stay pending: as applications write it, and as timers take it. */

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

/**
 * Timers of one delay, most of which are cleared soon. Node has a list for the timers of a delay, and drops it with
 * the last one; to make it anew costs ten times as much as a timer. So while timers are started, a spare one keeps
 * the list.
 */
class Timers {
  #delay;
  /** @type {NodeJS.Timeout | undefined} */
  #spare;

  /**
   * @param {number} delay in ms
   */
  constructor(delay) {
    this.#delay = delay;
  }

  /**
   * @param {() => void} callback what to call after the delay
   * @returns {NodeJS.Timeout} a timer of `setTimeout`
   */
  start(callback) {
    const timer = setTimeout(callback, this.#delay);
    if (this.#spare === undefined) {
      this.#spare = setTimeout(() => {
        this.#spare = undefined;
      }, this.#delay);
      this.#spare.unref?.();
    }
    return timer;
  }
}

module.exports = { DEFAULT_TIMEOUT, Timers, delayOf };
