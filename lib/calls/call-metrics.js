'use strict';

/**
 * How many calls are in flight, how they end and how long they take, for each method. Nothing is measured
 * before somebody asks for it: what `measure()` gives then takes the place of what answers a call.
 *
 * What must stay true: names are those that the application has defined, never what a client sends, and there
 * is a limit to their number.
 */

/**
 * The upper bounds of the histogram of durations, in ms: from half a millisecond on, each twice the one before.
 *
 * @type {readonly number[]}
 */
const BOUNDS = Object.freeze(Array.from({ length: 16 }, (_, i) => 0.5 * 2 ** i));

/** How many names are told apart. An application may define methods without end, such as one for each user. */
const MAX_NAMES = 1000;

/** Stands for all names that come later. */
const OTHER = '(other)';

/** The calls of one method. */
class MethodMetrics {
  inFlight = 0;
  succeeded = 0;
  failed = 0;
  /** The sum of all durations, in ms. */
  sum = 0;
  /** How many calls took no longer than each bound and longer than the one before; the last one has no bound. */
  counts = new Array(BOUNDS.length + 1).fill(0);

  /**
   * @param {'method' | 'subscription'} kind what is called
   */
  constructor(kind) {
    this.kind = kind;
  }

  /**
   * @param {boolean} failed whether the call failed
   * @param {number} ms how long it took
   * @returns {void}
   */
  end(failed, ms) {
    this.inFlight -= 1;
    if (failed) {
      this.failed += 1;
    } else {
      this.succeeded += 1;
    }
    this.sum += ms;
    let i = 0;
    while (i < BOUNDS.length && ms > BOUNDS[i]) {
      i += 1;
    }
    this.counts[i] += 1;
  }

  /** @returns {object} the figures, as an application gets them */
  get figures() {
    const { kind, inFlight, succeeded, failed, sum, counts } = this;
    const buckets = BOUNDS.map((le, i) => ({ le, count: counts[i] }));
    const count = succeeded + failed;
    return { kind, inFlight, succeeded, failed, duration: { count, sum, buckets } };
  }
}

class CallMetrics {
  /** @type {Map<string, MethodMetrics>} by name */
  #methods = new Map();

  /**
   * A call begins.
   *
   * @param {import('../auth/authenticate').BoundMethod} method what is called, of the application's own
   * @returns {MethodMetrics} the calls of that, which are to be told of its end
   */
  begin({ name, subscription }) {
    const method = this.#methodOf(name, subscription === undefined ? 'method' : 'subscription');
    method.inFlight += 1;
    return method;
  }

  /**
   * @param {string} name the name of a method
   * @param {'method' | 'subscription'} kind what it is
   * @returns {MethodMetrics} its calls
   */
  #methodOf(name, kind) {
    let method = this.#methods.get(name);
    if (method === undefined) {
      if (this.#methods.size >= MAX_NAMES && name !== OTHER) {
        return this.#methodOf(OTHER, 'method');
      }
      method = new MethodMetrics(kind);
      this.#methods.set(name, method);
    }
    return method;
  }

  /** @returns {object} the figures, as an application gets them */
  get figures() {
    let inFlight = 0;
    const methods = {};
    for (const [name, method] of this.#methods) {
      inFlight += method.inFlight;
      // Not an assignment, for a method with the name `__proto__`.
      Object.defineProperty(methods, name, {
        value: method.figures,
        configurable: true,
        enumerable: true,
        writable: true,
      });
    }
    return { inFlight, methods };
  }
}

/** A call that is in flight, as its socket knows it while it is measured. */
class Measurement {
  /** @type {Measurement | undefined} the neighbours among those of the socket */
  previous;
  /** @type {Measurement | undefined} */
  next = undefined;
  #owner;
  #began = performance.now();
  #ofInstance;
  #ofServer;

  /**
   * @param {MeasuredSocket} owner the socket
   * @param {MethodMetrics} [ofInstance] the calls of that method, of its LoopbackSocket
   * @param {MethodMetrics} [ofServer] those of the native server
   */
  constructor(owner, ofInstance, ofServer) {
    this.#owner = owner;
    this.#ofInstance = ofInstance;
    this.#ofServer = ofServer;
    this.previous = owner.lastMeasured;
    if (this.previous !== undefined) {
      this.previous.next = this;
    }
    owner.lastMeasured = this;
  }

  /**
   * The call has ended, or its socket has: the first end counts.
   *
   * @param {boolean} failed whether the call failed
   * @returns {void}
   */
  end(failed) {
    const owner = this.#owner;
    if (owner === undefined) {
      return;
    }
    const { previous, next } = this;
    if (previous !== undefined) {
      previous.next = next;
    }
    if (next === undefined) {
      owner.lastMeasured = previous;
    } else {
      next.previous = previous;
    }
    // A handler that never ends keeps this, and nothing by it.
    this.#owner = undefined;
    this.previous = undefined;
    this.next = undefined;
    const duration = performance.now() - this.#began;
    this.#ofInstance?.end(failed, duration);
    this.#ofServer?.end(failed, duration);
  }
}

/**
 * A socket as measurements need it.
 *
 * @typedef {object} MeasuredSocket
 * @property {Measurement | undefined} lastMeasured the last call of it that is in flight; each knows the one before
 */

/**
 * Measures a call from now on, for all who ask for figures. A result that cannot be sent is a failure, and so is the end
 * of the socket.
 *
 * @param {MeasuredSocket} owner the socket
 * @param {import('../auth/authenticate').BoundMethod} method what is called, of the application's own
 * @param {import('./invoke').Settle} settle answers the client
 * @param {CallMetrics | undefined} ofInstance the figures of its LoopbackSocket
 * @param {CallMetrics} [ofServer] those of the native server
 * @returns {import('./invoke').Settle} what is to answer the client instead
 */
function measure(owner, method, settle, ofInstance, ofServer) {
  const measurement = new Measurement(owner, ofInstance?.begin(method), ofServer?.begin(method));
  return (failed, value) => {
    const unsendable = settle(failed, value);
    measurement.end(failed || unsendable !== undefined);
    return unsendable;
  };
}

/**
 * A socket has ended: its calls that are in flight have failed.
 *
 * @param {MeasuredSocket} owner the socket
 * @returns {void}
 */
function endMeasurements(owner) {
  while (owner.lastMeasured !== undefined) {
    owner.lastMeasured.end(true);
  }
}

module.exports = { BOUNDS, CallMetrics, MAX_NAMES, OTHER, endMeasurements, measure };
