'use strict';

/**
 * What owns the calls and subscriptions of one socket, the same on both kinds of server. Most sockets have
 * none, so both are made when they are needed.
 */

const { endMeasurements } = require('../calls/call-metrics');
const { SocketCalls } = require('../calls/socket-calls');
const { SocketSubscriptions } = require('./socket-subscriptions');

class SocketOwner {
  /** @type {SocketSubscriptions | undefined} the subscriptions of the socket, made with the first one */
  subscriptions = undefined;
  /** @type {import('../calls/call-metrics').MeasuredSocket['lastMeasured']} its calls that are in flight and measured */
  lastMeasured = undefined;
  /** @type {SocketCalls | undefined} */
  #calls;

  /** @returns {SocketCalls} the calls of the socket that can be aborted */
  get calls() {
    if (this.#calls === undefined) {
      this.#calls = new SocketCalls();
      if (this.hasEnded) {
        this.#calls.end();
      }
    }
    return this.#calls;
  }

  /**
   * Drops them if there is nothing to keep: the socket may be idle for hours.
   *
   * @returns {void}
   */
  releaseCalls() {
    if (this.#calls?.isEmpty) {
      this.#calls = undefined;
    }
  }

  /**
   * The socket is gone: aborts its calls, and counts as failed those that nothing aborts.
   *
   * @returns {void}
   */
  endCalls() {
    this.#calls?.end();
    endMeasurements(this);
  }

  /** @returns {SocketSubscriptions} the subscriptions of the socket */
  get subscriber() {
    this.subscriptions ??= new SocketSubscriptions(this);
    return this.subscriptions;
  }
}

module.exports = { SocketOwner };
