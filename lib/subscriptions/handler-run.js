'use strict';

/**
 * One run of a subscription's handler, and the source that it gives.
 *
 * What must stay true: the signal is aborted and the source stopped once, when nobody needs them any more,
 * also if the handler has not given its source by then.
 */

const { invoke, resolveHandler } = require('../calls/invoke');
const { toSource } = require('./sources');
const { ResumedSource } = require('./item-ids');

/** What a handler gets besides socket, credentials and arguments. */
class HandlerContext {
  #controller;
  #isAborted = false;

  /**
   * @param {unknown} after the id of the last item that the client has, if it resumes
   */
  constructor(after) {
    this.after = after;
  }

  /**
   * Made when a handler asks for it: most of what a source without one would cost is this.
   *
   * @returns {AbortSignal} aborted when nobody needs the source any more
   */
  get signal() {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isAborted) {
        this.#controller.abort();
      }
    }
    return this.#controller.signal;
  }

  /**
   * @param {HandlerContext} context whose signal to abort
   * @returns {void}
   */
  static abort(context) {
    context.#isAborted = true;
    context.#controller?.abort();
  }
}

class HandlerRun {
  #context;
  #source;
  #isStopped = false;

  /**
   * Calls the handler.
   *
   * @param {unknown} handler as the application gave it
   * @param {[unknown, unknown, unknown]} args the socket, its credentials and the arguments
   * @param {unknown} after the id of the last item that the client has, if it resumes
   * @param {(failed: boolean, value: unknown, isResumed?: boolean) => void} done receives the source, or the
   *   error; not called once the run has been stopped
   * @param {(error: unknown) => void} dropped takes errors of the handler that `done` does not get
   * @returns {void}
   */
  start(handler, args, after, done, dropped) {
    const context = new HandlerContext(after);
    this.#context = context;
    const { fn, self } = resolveHandler(handler);
    // That something ends because its signal is aborted is no failure.
    const failedLate = (error) => {
      if (!isAbort(error)) {
        dropped(error);
      }
    };
    const settle = (failed, value) => {
      let source;
      let error = value;
      const isResumed = !failed && value instanceof ResumedSource;
      if (!failed) {
        try {
          source = toSource(isResumed ? value.source : value, failedLate);
        } catch (cause) {
          error = cause;
        }
      }
      if (source === undefined) {
        if (!this.#isStopped) {
          done(true, error);
        } else if (failed) {
          failedLate(error);
        }
      } else if (this.#isStopped) {
        source.stop();
      } else {
        this.#source = source;
        done(false, source, isResumed);
      }
    };
    invoke(fn, self, [...args, context], settle, failedLate);
  }

  /**
   * Nobody needs the source any more.
   *
   * @returns {void}
   */
  stop() {
    if (!this.#isStopped) {
      this.#isStopped = true;
      if (this.#context !== undefined) {
        HandlerContext.abort(this.#context);
      }
      const source = this.#source;
      this.#source = undefined;
      source?.stop();
    }
  }

  /** @returns {boolean} whether nobody needs the source any more */
  get isStopped() {
    return this.#isStopped;
  }
}

/**
 * @param {unknown} error an error
 * @returns {boolean} whether it is how functions of Node end whose signal is aborted
 */
function isAbort(error) {
  try {
    return error?.name === 'AbortError';
  } catch {
    return false;
  }
}

module.exports = { HandlerRun };
