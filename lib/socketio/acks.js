'use strict';

/**
 * Acknowledgements of clients that the application waits for.
 */

const { AckTimeoutError } = require('../errors');

/**
 * A callback that is called once, with an error first if there is a timeout.
 *
 * @param {Function} callback the application's
 * @param {number | undefined} timeout ms; without, it waits as long as the socket lives
 * @param {() => void} expired called when the timeout is over
 * @returns {Function} what to call with the client's arguments
 */
function withTimeout(callback, timeout, expired) {
  if (timeout === undefined) {
    return callback;
  }
  const timer = setTimeout(() => {
    expired();
    callback(new AckTimeoutError());
  }, timeout);
  return (...args) => {
    clearTimeout(timer);
    callback(null, ...args);
  };
}

/**
 * The acknowledgements of one broadcast. The native server decides whom that is sent to, and so how
 * many acknowledgements there will be.
 */
class BroadcastAcks {
  #ack;
  #done;
  #timer;
  #responses = [];
  /** @type {(import('./socket').Socket | undefined)[] | undefined} once they are known */
  #receivers;
  #isOver = false;

  /**
   * @param {number} ack the id all clients acknowledge with
   * @param {number | undefined} timeout ms to wait; without, the wait is over at once
   * @param {(error: Error | null, responses: unknown[]) => void} done called when it is over
   */
  constructor(ack, timeout, done) {
    this.#ack = ack;
    this.#done = done;
    this.#timer = setTimeout(() => this.#expire(), timeout);
  }

  /**
   * The broadcast is sent.
   *
   * @param {(import('./socket').Socket | undefined)[]} receivers to whom; `undefined` for a socket that
   *   has ended on this side meanwhile
   * @returns {void}
   */
  sent(receivers) {
    this.#receivers = receivers;
    if (receivers.length === 0) {
      clearTimeout(this.#timer);
      process.nextTick(this.#done, null, []);
    } else if (this.#isOver) {
      this.#fail();
    } else {
      for (const socket of receivers) {
        socket?._awaitAck(this.#ack, (response) => this.#answered(response));
      }
    }
  }

  /**
   * @param {unknown} response what a client acknowledged with
   * @returns {void}
   */
  #answered(response) {
    this.#responses.push(response);
    if (this.#responses.length === this.#receivers.length) {
      clearTimeout(this.#timer);
      const done = this.#done;
      done(null, this.#responses);
    }
  }

  /**
   * The wait is over, and not all have answered.
   *
   * @returns {void}
   */
  #expire() {
    this.#isOver = true;
    // Not yet sent: whether it has receivers that could answer is only known then.
    if (this.#receivers !== undefined) {
      for (const socket of this.#receivers) {
        socket?._awaitAck(this.#ack, undefined);
      }
      this.#fail();
    }
  }

  /**
   * @returns {void}
   */
  #fail() {
    const done = this.#done;
    done(new AckTimeoutError(), this.#responses);
  }
}

module.exports = { withTimeout, BroadcastAcks };
