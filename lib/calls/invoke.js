'use strict';

/**
 * Runs handlers of the application. Whatever kind a handler is, each call of it has exactly one outcome.
 */

const { UnsendableValueError } = require('../errors');

const { then: nativeThen } = Promise.prototype;

/**
 * @callback Settle receives the outcome of a handler; it must not throw
 * @param {boolean} failed whether the handler threw, rejected or called back with an error
 * @param {unknown} value the result, or the error if it failed
 * @returns {void}
 */

/**
 * A handler ready to run.
 *
 * @typedef {object} ResolvedHandler
 * @property {Function} fn the function
 * @property {unknown} self its `this`: the model of a model method, otherwise `null`
 */

/**
 * Stands in for every handler that is missing or no handler at all. Two parameters, so that it is
 * never given a callback.
 *
 * @param {unknown} socket ignored
 * @param {unknown} credentials ignored
 * @throws {Error} always
 */
// eslint-disable-next-line no-unused-vars
function invalidMethod(socket, credentials) {
  throw new Error('invalid method');
}

/**
 * Looks up the handler that the application registered, as it is now.
 *
 * @param {unknown} ref a function or `{model, method}`; anything else gives a handler that throws
 *   `Error('invalid method')`
 * @returns {ResolvedHandler} the handler; if looking it up throws, one that throws the same
 */
function resolveHandler(ref) {
  if (typeof ref === 'function') {
    return { fn: ref, self: null };
  }
  try {
    if (ref && ref.model) {
      const { model } = ref;
      const fn = model[ref.method];
      if (typeof fn === 'function') {
        return { fn, self: model };
      }
    }
  } catch (error) {
    return {
      fn: () => {
        throw error;
      },
      self: null,
    };
  }
  return { fn: invalidMethod, self: null };
}

/**
 * Runs a handler and settles with its outcome, exactly once: before this function returns if the
 * handler is done by then, without a promise in between. A handler that declares more parameters
 * than there are arguments gets a node-style callback after them; any other one gives its outcome
 * by what it returns or throws.
 *
 * @param {Function} handler the application's function
 * @param {unknown} self its `this`
 * @param {unknown[]} args its arguments without the callback
 * @param {Settle} settle receives the outcome
 * @param {(error: unknown) => void} [dropped] takes what the handler throws, rejects with or calls back
 *   with after its outcome
 * @returns {void}
 */
function invoke(handler, self, args, settle, dropped) {
  let value;
  try {
    // Not `length > args.length`: a handler whose length is not a number gets the callback.
    if (!(handler.length <= args.length)) {
      invokeWithCallback(handler, self, args, settle, dropped);
      return;
    }
    value = Reflect.apply(handler, self, args);
  } catch (error) {
    settle(true, error);
    return;
  }
  settleValue(value, settle);
}

/**
 * Runs a handler that takes a callback. What it returns is ignored, except that a promise that
 * rejects is an outcome too.
 *
 * @param {Function} handler the application's function
 * @param {unknown} self its `this`
 * @param {unknown[]} args its arguments without the callback
 * @param {Settle} settle receives the outcome
 * @param {(error: unknown) => void} [dropped] takes errors after the outcome
 * @returns {void}
 */
function invokeWithCallback(handler, self, args, settle, dropped) {
  let settled = false;
  const fail = (error) => {
    if (settled) {
      dropped?.(error);
    } else {
      settled = true;
      settle(true, error);
    }
  };
  const callback = (error, result) => {
    if (error) {
      fail(error);
    } else if (!settled) {
      settled = true;
      settleValue(result, settle);
    }
  };
  let returned;
  try {
    returned = Reflect.apply(handler, self, [...args, callback]);
  } catch (error) {
    fail(error);
    return;
  }
  try {
    const then = thenOf(returned);
    if (then !== undefined) {
      Reflect.apply(then, returned, [undefined, fail]);
    }
  } catch {
    // What a handler with a callback returns is ignored, and so is a return value that misbehaves.
  }
}

/**
 * Settles with a value, or with what it becomes if it is a thenable.
 *
 * @param {unknown} value what a handler returned or called back with
 * @param {Settle} settle receives the outcome
 * @returns {void}
 */
function settleValue(value, settle) {
  let then;
  try {
    then = thenOf(value);
  } catch (error) {
    settle(true, error);
    return;
  }
  if (then === undefined) {
    settle(false, value);
    return;
  }
  // A native promise settles once, and never with a thenable. Any other thenable may call back twice or
  // with a thenable, so a native promise adopts it.
  const promise =
    then === nativeThen && value instanceof Promise
      ? value
      : new Promise((resolve, reject) => {
          Reflect.apply(then, value, [resolve, reject]);
        });
  const done = (result) => settle(false, result);
  const fail = (error) => settle(true, error);
  try {
    Reflect.apply(nativeThen, promise, [done, fail]);
  } catch (error) {
    // A promise whose `constructor` was tampered with: nothing was attached.
    settle(true, error);
  }
}

/**
 * @param {unknown} value any value
 * @returns {Function | undefined} its `then`, read once, if the value is a thenable
 * @throws whatever a getter of `then` throws
 */
function thenOf(value) {
  if ((typeof value === 'object' && value !== null) || typeof value === 'function') {
    const { then } = value;
    return typeof then === 'function' ? then : undefined;
  }
  return undefined;
}

/**
 * Answers a call through a function that acknowledges it; if its value cannot be sent, with the error
 * that says so.
 *
 * @param {Function} ack the function
 * @param {boolean} failed whether the handler failed
 * @param {unknown} value its result or error
 * @param {(value: unknown, key: string) => unknown} [encodable] gives what to send for a value under a
 *   name, or throws
 * @returns {UnsendableValueError | undefined} why the value itself could not be sent
 */
function answer(ack, failed, value, encodable = (it) => it) {
  try {
    const sent = encodable(value, failed ? 'error' : 'result');
    ack(failed ? { error: sent } : { result: sent });
    return undefined;
  } catch (cause) {
    value = cause instanceof UnsendableValueError ? cause : new UnsendableValueError(cause);
  }
  try {
    ack({ error: { code: value.code, message: value.message } });
  } catch {
    // The acknowledgement itself throws, so there is no way to answer.
  }
  return value;
}

module.exports = { answer, invoke, resolveHandler, settleValue };
