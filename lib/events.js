'use strict';

/**
 * Names of events and delays, as the application gives them.
 */

const { InvalidTimeoutError, InvalidOptionError, ReservedEventError } = require('./errors');

/** The types of packets that carry an event or an acknowledgement (Socket.IO protocol 5, "Packet types"). */
const EVENT_PACKET = 2;
const ACK_PACKET = 3;
const BINARY_EVENT_PACKET = 5;
const BINARY_ACK_PACKET = 6;

/** Events that Node's emitters emit themselves, to listeners of theirs: never what a client sent. */
const EMITTER_EVENTS = new Set(['newListener', 'removeListener']);

/** Events by which this package tells clients how they stand. */
const OF_PROTOCOL = new Set(['authenticated', 'unauthorized', 'loopback:unsubscribed']);

/**
 * An event that applications may emit to clients, except on Socket.IO 2: there a socket emits it to its own listeners,
 * so that each item would be taken for a request of the client to subscribe.
 */
const LOCAL_ON_VERSION_2 = 'error';

/** Events of a socket or namespace itself, which the application may not emit to clients. */
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
 * The name of a subscription, which its items are sent with.
 *
 * @param {unknown} name what the application gave
 * @returns {string} the name
 * @throws {InvalidOptionError} if it is no name
 * @throws {ReservedEventError} if clients would take items for something else, or a server would not send them
 */
function subscriptionName(name) {
  if (typeof name !== 'string' && typeof name !== 'number') {
    throw new InvalidOptionError('name', name, 'the name of a subscription, a string');
  }
  const text = String(eventName(name));
  if (text === LOCAL_ON_VERSION_2) {
    throw new ReservedEventError(text, 'a server of npm socket.io 2 does not send it to clients');
  }
  if (OF_PROTOCOL.has(text)) {
    throw new ReservedEventError(text);
  }
  return text;
}

/** How many calls are under way that add or remove listeners. */
let changing = 0;

/**
 * Whether an event is one that Node's emitter emits just now, to listeners of its own, because a
 * listener is added or removed. An application may not emit it.
 *
 * @param {unknown} name the event
 * @returns {boolean} whether it is
 */
function isOfEmitter(name) {
  return changing > 0 && EMITTER_EVENTS.has(name);
}

/**
 * Has the emitters of a class know when `newListener` and `removeListener` are Node's, for
 * `isOfEmitter`.
 *
 * @param {import('events').EventEmitter} prototype the class's prototype
 * @returns {void}
 */
function reserveEmitterEvents(prototype) {
  for (const method of [
    'on',
    'addListener',
    'prependListener',
    'off',
    'removeListener',
    'removeAllListeners',
  ]) {
    const change = prototype[method];
    prototype[method] = function changed(...args) {
      changing += 1;
      try {
        return Reflect.apply(change, this, args);
      } finally {
        changing -= 1;
      }
    };
  }
  // As Node has it: two names for one function.
  prototype.addListener = prototype.on;
  prototype.off = prototype.removeListener;
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
 * Runs listeners of the application. What they throw becomes an uncaught exception, as with any
 * emitter, but in the next tick, so that the caller goes on and the other listeners run.
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

/**
 * Has an exception become an unhandled rejection, as in Socket.IO and Engine.IO, where what throws is called by an
 * async function that nobody waits for. A process that only logs unhandled rejections goes on.
 *
 * @param {unknown} error what the application threw
 * @returns {void}
 */
function rejectUnhandled(error) {
  Promise.reject(error);
}

/**
 * Runs functions of the application that Socket.IO calls in an async function: see `rejectUnhandled`.
 *
 * @param {() => void} run runs them
 * @returns {void}
 */
function guardedAsAsync(run) {
  try {
    run();
  } catch (error) {
    rejectUnhandled(error);
  }
}

/**
 * Calls a function of the application that may be async.
 *
 * @param {() => unknown} run calls it
 * @param {(error: unknown) => void} failed called with what it throws, or rejects with
 * @returns {void}
 */
function attempt(run, failed) {
  try {
    const returned = run();
    if (typeof returned?.then === 'function') {
      Promise.resolve(returned).catch(failed);
    }
  } catch (error) {
    failed(error);
  }
}

/**
 * Warns of something that has failed, and that nobody waits for.
 *
 * @param {unknown} error what it failed with, which may be any value: an exception here would be unhandled
 * @returns {void}
 */
function warnOf(error) {
  let warning = 'Something failed, with a value that cannot be shown.';
  try {
    warning = error instanceof Error ? error : String(error);
  } catch {
    // An object without `toString()`, for example.
  }
  process.emitWarning(warning);
}

module.exports = {
  ACK_PACKET,
  BINARY_ACK_PACKET,
  BINARY_EVENT_PACKET,
  EVENT_PACKET,
  subscriptionName,
  EMITTER_EVENTS,
  attempt,
  checkedTimeout,
  eventName,
  guarded,
  guardedAsAsync,
  isOfEmitter,
  rejectUnhandled,
  reserveEmitterEvents,
  warnOf,
};
