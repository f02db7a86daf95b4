'use strict';

const { UnsentBroadcasts } = require('./unsent-broadcasts');

/**
 * The native server of one `Server`, shared by that server's objects. It is there from the moment the
 * `Server` is attached until it is closed; attached again, the `Server` gets another one.
 */
class NativeLink {
  /** @type {import('../../binding').NativeServer | undefined} the native server */
  native;
  /** @type {import('../../binding').NativeSessions | undefined} the sessions of its sockets */
  sessions;
  /** @type {import('../../binding').NativeServer['takeHttp'] | undefined} passes it a connection of Node's */
  takeHttp;
  /** @type {import('./command-writer').CommandWriter | undefined} sends it commands */
  commands;
  /** @type {object | undefined} takes its events: it refers to this weakly, so that it ends with the `Server` */
  receiver;
  /** @type {object | undefined} recovers the state of connections, if the `Server` is to */
  recovery;
  /** Broadcasts that clients are to acknowledge and that are not sent yet. */
  broadcasts = new UnsentBroadcasts();
  /** How many channels of subscriptions there have been: their numbers are used once. */
  channels = 0;
  /** @type {Set<{end: () => void}>} what is kept for subscribers to come back, until the server is closed */
  gracePeriods = new Set();
  /** @type {import('../calls/call-metrics').CallMetrics | undefined} measures calls, once somebody asks for that */
  callMetrics;
  /** What has been refused, for `io.metrics()`: sockets, and requests by the number of the `Refusal`. */
  refused = nothingRefused();
  /** @type {import('../../binding').NativeMetrics | undefined} the last figures of the native server that has ended */
  lastMetrics;
  /** Whether the `Server` is closing, or closed: nothing new begins. */
  isClosing = false;
  /** Whether it is about to close: no session and no socket is accepted any more. */
  isDraining = false;

  /**
   * @param {import('../../binding').NativeServer} native the native server, which begins
   * @param {import('./command-writer').CommandWriter} commands sends it commands
   * @param {object} receiver takes its events
   * @returns {void}
   */
  begin(native, commands, receiver) {
    this.native = native;
    this.refused = nothingRefused();
    this.lastMetrics = undefined;
    // Made anew each time they are read.
    this.sessions = native.sessions;
    this.takeHttp = native.takeHttp;
    this.commands = commands;
    this.receiver = receiver;
  }

  /**
   * The native server has ended.
   *
   * @returns {void}
   */
  end() {
    this.lastMetrics = this.native.metrics();
    this.native = undefined;
    this.sessions = undefined;
    this.takeHttp = undefined;
    this.commands = undefined;
    this.receiver = undefined;
    this.broadcasts.drop();
  }
}

/** @returns {{tooManyAttempts: number, tooManyPending: number, byMiddleware: number, requests: number[]}} as it begins */
const nothingRefused = () => ({
  tooManyAttempts: 0,
  tooManyPending: 0,
  byMiddleware: 0,
  requests: [],
});

module.exports = { NativeLink };
