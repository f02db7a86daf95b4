'use strict';

/**
 * Names of events and delays, as the application gives them.
 */

const { InvalidTimeoutError, ReservedEventError } = require('./errors');

/** Events that Node's emitters emit themselves, to listeners of theirs: never what a client sent. */
const EMITTER_EVENTS = new Set(['newListener', 'removeListener']);

/** Names that are events of a socket or namespace itself: nobody may emit them to clients. */
const RESERVED = new Set([
  'connect',
  'connect_error',
  'disconnect',
  'disconnecting',
  ...EMITTER_EVENTS,
]);

/**
 * The name of an event as it is sent.
 *
 * @param {unknown} name what the application gave
 * @returns {string | number} the name
 * @throws {ReservedEventError} if it is an event of the socket itself
 */
function eventName(name) {
  const text = typeof name === 'number' ? name : String(name);
  if (RESERVED.has(text)) {
    throw new ReservedEventError(text);
  }
  return text;
}

/**
 * @param {unknown} timeout what the application gave
 * @returns {number} ms
 * @throws {InvalidTimeoutError} if it is no number of ms
 */
function checkedTimeout(timeout) {
  if (typeof timeout !== 'number' || !(timeout >= 0)) {
    throw new InvalidTimeoutError(timeout);
  }
  return timeout;
}

/**
 * Runs listeners of the application. What they throw reaches the process as from any emitter, but
 * neither the caller nor another listener suffers for it.
 *
 * @param {() => void} run runs them
 * @returns {void}
 */
function guarded(run) {
  try {
    run();
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}

module.exports = { EMITTER_EVENTS, eventName, checkedTimeout, guarded };
