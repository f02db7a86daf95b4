'use strict';

/**
 * The methods bound to one native socket, and its client's calls and subscriptions. The session, in Rust, decides which
 * method a call may run; this object runs its handler and answers.
 *
 * What must stay true: only the handler of a call keeps anything of it, since a handler may never end.
 */

const { invoke } = require('../calls/invoke');
const { EMIT_OWN } = require('../auth/own-events');
const { measure } = require('../calls/call-metrics');
const { runCall } = require('../calls/run-call');
const { isCallObserved } = require('../observability/channels');
const { SocketOwner } = require('../subscriptions/socket-owner');
const { SubscriptionEngine } = require('./subscription-engine');

const { METHOD_RADIX } = require('../native/protocol').Layout;

/**
 * Whether an event has been acknowledged. Listeners and methods may all acknowledge it, and the first
 * one does. They share this object and nothing else keeps it.
 *
 * @typedef {{isAnswered: boolean}} AckState
 */

/**
 * What a LoopbackSocket has bound.
 *
 * @typedef {object} Bound
 * @property {unknown} credentials those that the client authenticated with
 * @property {import('../auth/authenticate').BoundMethod[]} methods the methods, as they stood then
 */

/** What engines report of subscribers. */
const REPORTS = {
  ended: (socket, number, how) => socket._subscriptions?.ended(number, how),
  credit: (socket, number, count) => socket._subscriptions?.credit(number, count),
};

class MethodCalls extends SocketOwner {
  /** @type {(Bound | undefined)[]} by the number of the LoopbackSocket */
  bound;
  #socket;
  /** @type {import('../calls/invoke').Settle | undefined} ends a call without an acknowledgement */
  #finished;

  /**
   * @param {import('./socket').Socket} socket whose client calls
   */
  constructor(socket) {
    super();
    this.#socket = socket;
    this.bound = new Array(socket._instances.length).fill(undefined);
  }

  /** @returns {import('./socket').Socket} whose client calls */
  get socket() {
    return this.#socket;
  }

  /** @returns {boolean} whether the socket is gone */
  get hasEnded() {
    return !this.#socket.connected;
  }

  /** @returns {SubscriptionEngine} what brings subscribers of the socket's namespace their items */
  get engine() {
    return SubscriptionEngine.of(this.#socket.nsp, REPORTS);
  }

  /**
   * @param {import('../loopback-socket')} loopbackSocket a LoopbackSocket
   * @returns {unknown} the credentials that the client has authenticated with last
   */
  credentialsOf(loopbackSocket) {
    return this.bound[this.#socket._instances.indexOf(loopbackSocket)]?.credentials;
  }

  /**
   * @param {import('../loopback-socket')} loopbackSocket a LoopbackSocket
   * @returns {number} how many subscriptions the socket may have
   */
  maxSubscriptionsOf(loopbackSocket) {
    const { _instances: instances, nsp } = this.#socket;
    return nsp._limits[instances.indexOf(loopbackSocket)].maxSubscriptions;
  }

  /**
   * Sends the client an event.
   *
   * @param {string} event its name
   * @param {object} value what comes with it
   * @returns {void}
   * @throws {import('../errors').UnsendableValueError} if the value cannot be sent
   */
  send(event, value) {
    this.#socket[EMIT_OWN](event, value);
  }

  /**
   * @param {string} name an event
   * @returns {boolean} whether the application has added a listener for it
   */
  isListenedTo(name) {
    return this.#socket._isListenedTo(name);
  }

  /**
   * Puts the methods of a LoopbackSocket in the place of those it bound before.
   *
   * @param {number} instance the number of the LoopbackSocket
   * @param {import('../auth/authenticate').BoundMethod[]} methods the methods
   * @param {unknown} credentials what handlers get
   * @returns {void}
   */
  bind(instance, methods, credentials) {
    this.bound[instance] = { credentials, methods };
  }

  /**
   * Runs a method that the session allows.
   *
   * @param {unknown[]} event the event's name and arguments
   * @param {number | null} ack the client's acknowledgement id, `null` if it asks for none
   * @param {number} run the method, and whose
   * @param {AckState} [ackState] whether it has been answered, if others may answer too
   * @returns {void}
   */
  run(event, ack, run, ackState) {
    const instance = Math.floor(run / METHOD_RADIX);
    const bound = this.bound[instance];
    const method = methodOf(bound, run % METHOD_RADIX, event[0]);
    if (method === undefined) {
      return;
    }
    let settle;
    if (method.control !== undefined) {
      settle =
        ack === null ? ignore : (failed, value) => this.#answer(ack, failed, value, ackState);
    } else if (this.#socket._beginsNothing) {
      return;
    } else {
      this.#socket._inFlight += 1;
      settle =
        ack === null
          ? (this.#finished ??= () => this.#finish())
          : (failed, value) => {
              this.#finish();
              return this.#answer(ack, failed, value, ackState);
            };
    }
    this.runBound(instance, method, bound.credentials, event[1], event[2], settle);
  }

  /**
   * Runs a method.
   *
   * @param {number} instance the number of its LoopbackSocket
   * @param {import('../auth/authenticate').BoundMethod} method the method
   * @param {unknown} credentials those it was bound with
   * @param {unknown} args what the client sent
   * @param {unknown} options what the client sent behind that; plain methods ignore it
   * @param {import('../calls/invoke').Settle} settle answers
   * @returns {void}
   */
  runBound(instance, method, credentials, args, options, settle) {
    const loopbackSocket = this.#socket._instances[instance];
    const { callMetrics: ofServer } = this.#socket.nsp._link;
    const { callMetrics: ofInstance } = loopbackSocket._definitions;
    const isMeasured = ofServer !== undefined || ofInstance !== undefined;
    if (isMeasured && method.control === undefined && !this.hasEnded) {
      settle = measure(this, method, settle, ofInstance, ofServer);
    }
    if (method.isPlain && loopbackSocket._definitions.isPlain && !isCallObserved()) {
      invoke(method.fn, method.self, [this.#socket, credentials, args], settle);
    } else {
      runCall(this, loopbackSocket, method, { credentials, args, options }, settle);
    }
  }

  /**
   * Runs the methods of a name that middleware gave to an event.
   *
   * @param {unknown[]} event the event
   * @param {number | null} ack the client's acknowledgement id, `null` if it asks for none
   * @param {AckState} ackState whether it has been answered
   * @returns {void}
   */
  runNamed(event, ack, ackState) {
    this.bound.forEach((bound, instance) => {
      const index = (bound?.methods ?? []).findIndex(({ name }) => name === event[0]);
      if (index >= 0) {
        this.run(event, ack, instance * METHOD_RADIX + index, ackState);
      }
    });
  }

  /**
   * The socket has ended: a handler that is still running keeps neither methods nor credentials alive.
   *
   * @returns {void}
   */
  clear() {
    this.bound = [];
    this.endCalls();
    this.subscriptions?.close();
  }

  /**
   * A call is in flight no more.
   *
   * @returns {void}
   */
  #finish() {
    this.#socket._inFlight -= 1;
  }

  /**
   * Answers a call; what cannot be sent is answered with an error that says so.
   *
   * @param {number} ack the client's acknowledgement id
   * @param {boolean} failed whether its handler failed
   * @param {unknown} value its result or error
   * @param {AckState} [ackState] whether it has been answered, if others may answer too
   * @returns {import('../errors').UnsendableValueError | undefined} why the value could not be sent
   */
  #answer(ack, failed, value, ackState) {
    const socket = this.#socket;
    if (!socket.connected || ackState?.isAnswered) {
      return undefined;
    }
    const { commands } = socket.nsp._link;
    let unsendable;
    try {
      commands.settle(socket._number, ack, failed, value);
    } catch (error) {
      const { code, message } = error;
      unsendable = error;
      commands.settle(socket._number, ack, true, { code, message });
    }
    if (ackState !== undefined) {
      ackState.isAnswered = true;
    }
    return unsendable;
  }
}

/**
 * The method that a call is for. Its index is of the methods that were bound when it came; if the
 * client authenticated again meanwhile, others are bound now.
 *
 * @param {Bound} [bound] what is bound now
 * @param {number} index the index
 * @param {unknown} name the name that was called
 * @returns {import('../auth/authenticate').BoundMethod | undefined} the method, if there still is one
 */
function methodOf(bound, index, name) {
  const method = bound?.methods[index];
  return method?.name === name
    ? method
    : bound?.methods.find((other) => other.name === String(name));
}

/** Drops the answer to a control event that asks for no acknowledgement. */
function ignore() {}

module.exports = { MethodCalls };
