'use strict';

/**
 * What a listener returns to an instrumentation that measures listeners until what they return is settled, such as
 * `@opentelemetry/instrumentation-socket.io`: methods of hosted sockets are listeners that return before they are done.
 *
 * What must stay true: a failure is never an unhandled rejection, although such an instrumentation throws it again.
 */

/**
 * @param {unknown} method a method of an object
 * @returns {boolean} whether an instrumentation has wrapped it, with shimmer or its like
 */
function isInstrumented(method) {
  return typeof method === 'function' && method.__wrapped === true;
}

/** A thenable, not a promise: it settles once, and what its callbacks throw is dropped. */
class Completion {
  /** @type {{failed: boolean, value: unknown} | undefined} */
  #outcome;
  /** @type {((failed: boolean, value: unknown) => void)[]} */
  #waiting = [];

  /**
   * @param {(value: unknown) => void} [done] called with the result, at once if there is one
   * @param {(error: unknown) => void} [failed] called with the error
   * @returns {void}
   */
  then(done, failed) {
    const settle = (hasFailed, value) => {
      try {
        (hasFailed ? failed : done)?.(value);
      } catch {
        // Thrown again for whoever waits for what the callback returns, and nobody does.
      }
    };
    if (this.#outcome === undefined) {
      this.#waiting.push(settle);
    } else {
      settle(this.#outcome.failed, this.#outcome.value);
    }
  }

  /**
   * It is done. The first outcome counts.
   *
   * @param {boolean} failed whether it has failed
   * @param {unknown} [value] the result or the error
   * @returns {void}
   */
  finish(failed, value) {
    if (this.#outcome === undefined) {
      this.#outcome = { failed, value };
      this.#waiting.splice(0).forEach((settle) => settle(failed, value));
    }
  }
}

module.exports = { Completion, isInstrumented };
