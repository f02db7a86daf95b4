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

/**
 * The acknowledgements of one broadcast to the clients of several servers. Each server tells how many of its
 * clients it has sent that to.
 */
class ClusterAcks {
  #done;
  #timer;
  #isSingle;
  #timeout;
  #responses = [];
  /** How many servers there are, once that is known. */
  #servers;
  /** How many of them have told. */
  #told = 0;
  /** How many clients these have sent it to. */
  #clients = 0;
  #isOver = false;
  #expired = () => {};

  /**
   * @param {{timeout?: number, expectSingleResponse?: boolean}} flags how many ms to wait, without a timeout
   *   the wait is over at once; and whether there is one client
   * @param {(error: Error | null, responses: unknown) => void} done called when it is over
   */
  constructor({ timeout, expectSingleResponse }, done) {
    this.#done = done;
    this.#isSingle = expectSingleResponse === true;
    this.#timeout = timeout;
  }

  /**
   * The broadcast is sent on this server: begins the wait. Not before, since `done` is not called if it cannot be.
   *
   * @returns {void}
   */
  begin() {
    this.#timer = setTimeout(() => this.#expire(), this.#timeout);
  }

  /**
   * @param {() => void} expired called when the wait is over before all have answered
   * @returns {void}
   */
  onExpire(expired) {
    this.#expired = expired;
  }

  /**
   * @param {number} servers how many servers there are
   * @returns {void}
   */
  expects(servers) {
    this.#servers = servers;
    this.#check();
  }

  /**
   * One more server has sent the broadcast.
   *
   * @param {number} clients to how many clients
   * @returns {void}
   */
  sent(clients) {
    this.#told += 1;
    this.#clients += clients;
    this.#check();
  }

  /**
   * @param {unknown} response what a client acknowledged with
   * @returns {void}
   */
  answered(response) {
    if (!this.#isOver) {
      this.#responses.push(response);
      this.#check();
    }
  }

  /**
   * Ends the wait if all have answered.
   *
   * @returns {void}
   */
  #check() {
    const isComplete =
      this.#told === this.#servers && this.#responses.length === this.#clients && !this.#isOver;
    if (isComplete) {
      this.#isOver = true;
      clearTimeout(this.#timer);
      const done = this.#done;
      done(null, this.#isSingle ? this.#responses[0] : this.#responses);
    }
  }

  /**
   * The wait is over, and not all have answered.
   *
   * @returns {void}
   */
  #expire() {
    this.#isOver = true;
    this.#expired();
    const done = this.#done;
    done(new AckTimeoutError(), this.#isSingle ? null : this.#responses);
  }
}

/**
 * Emits something that several are to answer, and waits for them.
 *
 * @param {(done: (error: Error | null, responses: unknown[]) => void) => void} emit emits it
 * @returns {Promise<unknown[]>} the answers; rejected, with `responses` so far, if some are missing
 */
function responsesTo(emit) {
  return new Promise((resolve, reject) => {
    emit((error, responses) => {
      if (error) {
        reject(Object.assign(error, { responses }));
      } else {
        resolve(responses);
      }
    });
  });
}

module.exports = { withTimeout, responsesTo, BroadcastAcks, ClusterAcks };
