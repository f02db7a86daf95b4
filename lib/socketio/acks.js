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
 * The acknowledgements of one broadcast.
 */
class BroadcastAcks {
  #ack;
  #sockets;
  #responses = [];
  #done;
  #timer;

  /**
   * @param {number} ack the id all clients acknowledge with
   * @param {import('./socket').Socket[]} sockets who is asked
   * @param {number | undefined} timeout ms to wait; without, the wait is over at once
   * @param {(error: Error | null, responses: unknown[]) => void} done called when it is over
   */
  constructor(ack, sockets, timeout, done) {
    this.#ack = ack;
    this.#sockets = sockets;
    this.#done = done;
    if (sockets.length === 0) {
      process.nextTick(done, null, []);
      return;
    }
    for (const socket of sockets) {
      socket._awaitAck(ack, (response) => this.#answered(response));
    }
    this.#timer = setTimeout(() => this.#expired(), timeout);
  }

  /**
   * @param {unknown} response what a client acknowledged with
   * @returns {void}
   */
  #answered(response) {
    this.#responses.push(response);
    if (this.#responses.length === this.#sockets.length) {
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
  #expired() {
    for (const socket of this.#sockets) {
      socket._awaitAck(this.#ack, undefined);
    }
    const done = this.#done;
    done(new AckTimeoutError(), this.#responses);
  }
}

module.exports = { withTimeout, BroadcastAcks };
