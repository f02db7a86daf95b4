'use strict';

/**
 * Runs the interceptors of an instance around one call.
 */

const { RepeatedNextError } = require('../errors');

/**
 * @param {readonly Function[]} interceptors those of the instance, the outermost first
 * @param {object} call what each gets
 * @param {() => Promise<unknown>} innermost runs what they are around
 * @param {(error: unknown) => void} failed takes what an interceptor throws
 * @returns {Promise<unknown>} the result of the outermost one
 */
function intercept(interceptors, call, innermost, failed) {
  /**
   * @param {number} i which interceptor
   * @returns {Promise<unknown>} its result; if it gives none, that of what it is around
   */
  async function run(i) {
    if (i === interceptors.length) {
      return innermost();
    }
    let inner;
    let hasFailed = false;
    const next = () => {
      if (inner !== undefined) {
        return Promise.reject(new RepeatedNextError());
      }
      inner = run(i + 1);
      // Its error is known already; an interceptor that does not wait for it must not end the process.
      inner.catch(() => {
        hasFailed = true;
      });
      return inner;
    };
    try {
      const result = await interceptors[i](call, next);
      return result === undefined && !hasFailed ? await inner : result;
    } catch (error) {
      failed(error);
      throw error;
    }
  }
  return run(0);
}

module.exports = { intercept };
