'use strict';

const { MAX_DELAY } = require('../check-options');

/**
 * Runs when the oldest of several things expires, and does not keep the process alive.
 */
class ExpiryTimer {
  #timer;
  #next;
  #drop;

  /**
   * @param {() => number | undefined} next gives when the next thing expires, in ms since the process began;
   *   `undefined` if there is none
   * @param {() => void} drop drops what has expired
   */
  constructor(next, drop) {
    this.#next = next;
    this.#drop = drop;
  }

  /**
   * Waits for the oldest thing to expire, unless it does so already: as long as a timer can, and then again. It may be
   * that nothing expires: npm `socket.io` takes any number as `maxDisconnectionDuration`, Infinity too.
   *
   * @returns {void}
   */
  wait() {
    const until = this.#timer === undefined ? this.#next() : undefined;
    if (until === undefined) {
      return;
    }
    const delay = Math.min(Math.max(1, Math.ceil(until - performance.now())), MAX_DELAY);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#drop();
      this.wait();
    }, delay);
    this.#timer.unref?.();
  }
}

module.exports = { ExpiryTimer };
