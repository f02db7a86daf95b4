'use strict';

/**
 * The methods bound to one native socket, and its client's calls. The session, in Rust, decides which
 * method a call may run; this object runs its handler and answers.
 *
 * What must stay true: only the handler of a call keeps anything of it, since a handler may never end.
 */

const { invoke } = require('../calls/invoke');

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

class MethodCalls {
  /** @type {(Bound | undefined)[]} by the number of the LoopbackSocket */
  bound;
  #socket;

  /**
   * @param {import('./socket').Socket} socket whose client calls
   */
  constructor(socket) {
    this.#socket = socket;
    this.bound = new Array(socket._instances.length).fill(undefined);
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
   * @param {unknown[]} event the event's name and arguments; those behind the first are ignored
   * @param {number | null} ack the client's acknowledgement id, `null` if it asks for none
   * @param {number} run the method, and whose
   * @param {AckState} [ackState] whether it has been answered, if others may answer too
   * @returns {void}
   */
  run(event, ack, run, ackState) {
    const bound = this.bound[Math.floor(run / METHOD_RADIX)];
    const method = methodOf(bound, run % METHOD_RADIX, event[0]);
    if (method === undefined) {
      return;
    }
    const args = [this.#socket, bound.credentials, event[1]];
    const settle =
      ack === null ? ignore : (failed, value) => this.#answer(ack, failed, value, ackState);
    invoke(method.fn, method.self, args, settle);
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
  }

  /**
   * Answers a call; what cannot be sent is answered with an error that says so.
   *
   * @param {number} ack the client's acknowledgement id
   * @param {boolean} failed whether its handler failed
   * @param {unknown} value its result or error
   * @param {AckState} [ackState] whether it has been answered, if others may answer too
   * @returns {void}
   */
  #answer(ack, failed, value, ackState) {
    const socket = this.#socket;
    if (!socket.connected || ackState?.isAnswered) {
      return;
    }
    const { commands } = socket.nsp._link;
    try {
      commands.settle(socket._number, ack, failed, value);
    } catch (error) {
      const { code, message } = error;
      commands.settle(socket._number, ack, true, { code, message });
    }
    if (ackState !== undefined) {
      ackState.isAnswered = true;
    }
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

/** Drops the outcome of a call that asks for no acknowledgement. */
function ignore() {}

module.exports = { MethodCalls };
