'use strict';

/**
 * The calls of one socket that can be aborted, and how often it calls: for methods with options, for
 * subscriptions until they are answered, and for whatever interceptors run around. Nothing is kept for a socket
 * without such calls, unless a method counts how often it is called.
 *
 * What must stay true: what a client can make the server keep here is bounded, and found in maps.
 */

const {
  CallCancelledError,
  DisconnectedError,
  RateLimitedError,
  TooManyCallsError,
} = require('../errors');

/** How many calls of a socket may be under way that can be aborted. */
const MAX_CALLS = 1000;

/** How long the id of a call may be, in characters. */
const MAX_ID_LENGTH = 128;

/**
 * What a socket uses of one method.
 *
 * @typedef {object} Usage
 * @property {import('./method-options').MethodOptions} options the limits it is for
 * @property {number} running how many calls are under way
 * @property {number} tokens how many calls `rate` allows at `refilledAt`
 * @property {number} refilledAt ms, of the clock of `performance.now()`
 */

class SocketCalls {
  /** @type {import('./run-call').Execution | undefined} the last call that is not over; each knows the one before */
  #last;
  #count = 0;
  /** @type {Map<string | number, import('./run-call').Execution> | undefined} those that its client can cancel,
   *    by its id */
  #byId;
  /** @type {Map<import('./definitions').Definitions, Map<string, Usage>> | undefined} by instance and method */
  #usages;

  /** @returns {boolean} whether there is nothing to keep */
  get isEmpty() {
    return this.#count === 0 && this.#usages === undefined;
  }

  /**
   * A call begins.
   *
   * @param {import('./run-call').Execution} execution the call
   * @param {unknown} id what its client names it, to cancel it
   * @returns {import('../errors').CallError | undefined} why it is refused
   */
  enter(execution, id) {
    if (this.#count >= MAX_CALLS) {
      return new TooManyCallsError();
    }
    const { options } = execution;
    if (options.rate !== undefined || (options.concurrency ?? Infinity) !== Infinity) {
      const usage = this.#usageOf(execution);
      const retryAfter = options.rate === undefined ? 0 : take(usage, options.rate);
      if (retryAfter > 0) {
        return new RateLimitedError(retryAfter);
      }
      if (usage.running >= options.concurrency) {
        return new TooManyCallsError();
      }
      usage.running += 1;
      execution.usage = usage;
    }
    this.#add(execution);
    if (isId(id)) {
      execution.id = id;
      // A client that gives one id to two calls can cancel the later one.
      this.#byId ??= new Map();
      this.#byId.set(id, execution);
    }
    return undefined;
  }

  /**
   * A call is over: nothing can abort it any more.
   *
   * @param {import('./run-call').Execution} execution the call
   * @returns {void}
   */
  leave(execution) {
    this.#remove(execution);
    if (execution.id !== undefined && this.#byId?.get(execution.id) === execution) {
      this.#byId.delete(execution.id);
      if (this.#byId.size === 0) {
        this.#byId = undefined;
      }
    }
  }

  /**
   * @param {import('./run-call').Execution} execution a call that begins
   * @returns {void}
   */
  #add(execution) {
    execution.previous = this.#last;
    if (this.#last !== undefined) {
      this.#last.next = execution;
    }
    this.#last = execution;
    this.#count += 1;
  }

  /**
   * @param {import('./run-call').Execution} execution a call that is over
   * @returns {void}
   */
  #remove(execution) {
    const { previous, next } = execution;
    if (previous !== undefined) {
      previous.next = next;
    }
    if (next === undefined) {
      this.#last = previous;
    } else {
      next.previous = previous;
    }
    // What is kept by a handler that never ends must not keep others.
    execution.previous = undefined;
    execution.next = undefined;
    this.#count -= 1;
  }

  /**
   * The client cancels a call.
   *
   * @param {unknown} id what it named the call
   * @returns {boolean} whether there was such a call
   */
  cancel(id) {
    const execution = this.#byId?.get(id);
    execution?.abort(new CallCancelledError());
    return execution !== undefined;
  }

  /**
   * The socket has ended: its calls are aborted, and not answered.
   *
   * @returns {void}
   */
  end() {
    if (this.#last !== undefined) {
      const reason = new DisconnectedError();
      while (this.#last !== undefined) {
        this.#last.abort(reason);
      }
    }
    this.#usages = undefined;
  }

  /**
   * @param {import('./run-call').Execution} execution a call
   * @returns {Usage} what the socket uses of its method
   */
  #usageOf({ definitions, name, options }) {
    this.#usages ??= new Map();
    let byName = this.#usages.get(definitions);
    if (byName === undefined) {
      this.#usages.set(definitions, (byName = new Map()));
    }
    let usage = byName.get(name);
    if (usage?.options !== options) {
      const tokens = options.rate?.limit ?? 0;
      usage = { options, running: 0, tokens, refilledAt: performance.now() };
      byName.set(name, usage);
    }
    return usage;
  }
}

/**
 * Takes a token from the bucket of a method.
 *
 * @param {Usage} usage the bucket
 * @param {import('./method-options').Rate} rate how it is filled
 * @returns {number} 0 if there was one; else, ms until there is
 */
function take(usage, { limit, per }) {
  const now = performance.now();
  usage.tokens = Math.min(limit, usage.tokens + ((now - usage.refilledAt) * limit) / per);
  usage.refilledAt = now;
  if (usage.tokens < 1) {
    return Math.ceil(((1 - usage.tokens) * per) / limit);
  }
  usage.tokens -= 1;
  return 0;
}

/**
 * @param {unknown} id what a client gave as the id of a call
 * @returns {boolean} whether it is one
 */
function isId(id) {
  return typeof id === 'number' || (typeof id === 'string' && id.length <= MAX_ID_LENGTH);
}

module.exports = { MAX_CALLS, SocketCalls };
