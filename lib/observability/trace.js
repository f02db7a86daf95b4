'use strict';

/**
 * One attempt to authenticate, one call or one request to subscribe that somebody observes, from its beginning to
 * its answer: what is published of it, and what is logged.
 *
 * The order of events is that of `tracingChannel.traceCallback()` of Node: `start` and `end` around what runs at
 * once; `asyncStart` and `asyncEnd` around the answer, before `end` if the handler is done by then; `error` before
 * `asyncStart`.
 */

const { AsyncResource } = require('async_hooks');
const { channels, isTraced, traced } = require('./channels');
const { log, summaryOf } = require('./log');
const { TraceMessage } = require('./message');

/** What is logged of each kind. */
const WORDS = {
  authenticate: {
    begins: 'authenticates with',
    done: 'has authenticated with',
    failed: 'is refused by',
    left: 'has left, or has sent other credentials, before it was decided by',
  },
  call: { begins: 'calls', done: 'is answered by', failed: 'gets an error from' },
  subscribe: { begins: 'asks for', done: 'has subscribed to', failed: 'gets an error from' },
};

/**
 * What runs around all that is observed, to set a context that is not an AsyncLocalStorage's. It gets the message of a
 * `start`, and calls the function exactly once.
 *
 * @type {Set<(message: TraceMessage, run: () => void) => void>}
 */
const runners = new Set();

class Trace {
  #kind;
  #channel;
  #message;
  #startedAt = performance.now();
  #slowAfter;
  /** @type {AsyncResource | undefined} the context that `start` has set */
  #resource;
  /** @type {{error: unknown} | undefined} what a handler failed with, if its client gets something else */
  #cause;

  /**
   * @param {'authenticate' | 'call' | 'subscribe'} kind what begins
   * @param {object} socket the socket of the client
   * @param {import('../loopback-socket')} instance the LoopbackSocket
   * @param {string} method what the client calls
   */
  constructor(kind, socket, instance, method) {
    this.#kind = kind;
    this.#channel = traced[kind];
    this.#message = new TraceMessage(kind, socket, instance, method);
    this.#slowAfter = instance._definitions.slowAfter;
  }

  /**
   * Runs it. What runs, and all that follows from it, has the context that subscribers have bound to `start`.
   *
   * @param {() => void} run runs it; must not throw
   * @returns {void}
   */
  run(run) {
    this.#log('begins');
    this.#channel.start.runStores(this.#message, () => {
      let runWithin = () => {
        this.#resource = new AsyncResource('LOOPBACK_SOCKET');
        run();
      };
      for (const runner of runners) {
        const inner = runWithin;
        runWithin = () => runner(this.#message, inner);
      }
      runWithin();
      this.#channel.end.publish(this.#message);
    });
  }

  /**
   * Runs the next step, in the context of the first one: what called back may have lost it, such as a pool of
   * connections.
   *
   * @param {() => void} step the step
   * @returns {void}
   */
  resume(step) {
    this.#resource.runInAsyncScope(step);
  }

  /**
   * A handler has failed, and its client gets something else for it.
   *
   * @param {unknown} error the error
   * @returns {void}
   */
  causedBy(error) {
    this.#cause = { error };
  }

  /**
   * It is done.
   *
   * @template T
   * @param {boolean} failed whether it has failed
   * @param {unknown} value the result or the error
   * @param {() => T} answer answers the client; returns an error if the result cannot be sent, and `false` if the
   *   client has not authenticated after all
   * @returns {T} what that returns
   */
  finish(failed, value, answer) {
    const message = this.#message;
    const duration = performance.now() - this.#startedAt;
    message.done(duration, failed ? undefined : value);
    if (failed) {
      this.#fail(this.#cause === undefined ? value : this.#cause.error);
    }
    return this.#channel.asyncStart.runStores(message, () => {
      const answered = answer();
      if (!failed && answered instanceof Error) {
        this.#fail(answered);
      } else if (!failed && answered === false) {
        message.done(duration, false);
      }
      this.#channel.asyncEnd.publish(message);
      this.#log('error' in message ? 'failed' : message.result === false ? 'left' : 'done');
      if (duration >= this.#slowAfter) {
        this.#reportSlow(duration);
      }
      return answered;
    });
  }

  /**
   * @param {unknown} error what it has failed with
   * @returns {void}
   */
  #fail(error) {
    this.#message.failed(error);
    this.#channel.error.publish(this.#message);
  }

  /**
   * @param {number} duration how long it took, in ms
   * @returns {void}
   */
  #reportSlow(duration) {
    channels.slow.publish(this.#message);
    if (log.slow.enabled) {
      log.slow('%s took %s ms: %s %s', this.#client, duration.toFixed(), this.#kind, this.#name);
    }
  }

  /**
   * @param {'begins' | 'done' | 'failed' | 'left'} phase what has happened
   * @returns {void}
   */
  #log(phase) {
    const write = log[this.#kind];
    if (!write.enabled) {
      return;
    }
    const { duration, error } = this.#message;
    const words = WORDS[this.#kind];
    const line = `${this.#client} ${words[phase] ?? words.done} ${this.#name}`;
    if (phase === 'begins') {
      write('%s', line);
    } else if (phase === 'failed') {
      write('%s after %s ms: %s', line, duration.toFixed(1), summaryOf(error));
    } else {
      write('%s after %s ms', line, duration.toFixed(1));
    }
  }

  /** @returns {string} the socket */
  get #client() {
    return this.#message['messaging.client.id'] ?? 'a socket';
  }

  /** @returns {string} the LoopbackSocket, and what is called of it */
  get #name() {
    const { 'loopback_socket.name': name, 'rpc.method': method } = this.#message;
    return this.#kind === 'authenticate' ? JSON.stringify(name) : method;
  }
}

/**
 * Begins to observe an attempt to authenticate, a call or a request to subscribe.
 *
 * @param {'authenticate' | 'call' | 'subscribe'} kind what begins
 * @param {object} socket the socket of the client
 * @param {import('../loopback-socket')} instance the LoopbackSocket
 * @param {string} method what the client calls
 * @returns {Trace | undefined} its trace, if anybody observes it
 */
function traceOf(kind, socket, instance, method) {
  return isTraced(kind) ? new Trace(kind, socket, instance, method) : undefined;
}

module.exports = { runners, traceOf };
