'use strict';

const { Writable } = require('node:stream');

/**
 * What the streams below the websockets of an npm `socket.io` server need not do:
 *
 * - write several times. Engine.IO hands its websocket a frame for each packet, and each would be a system call of its
 *   own: more than half of what a busy server does. So would be the response that accepts a websocket, and the packet
 *   that opens its connection.
 * - end again. The `ws` package ends the stream and the receiver of a websocket that closes two or three times. Node
 *   makes an error with a stack trace of each, which nobody sees: a fourteenth of what a visit takes.
 */

/** @type {WeakSet<object>} the engines, and the connections without one, whose flushes are listened to */
const known = new WeakSet();

/**
 * Spares the streams of a connection what they need not do. Its engine tells of the flushes of all its connections, so
 * that they need no listeners of their own.
 *
 * @param {object} conn the connection as Engine.IO sees it; left alone if it does not look like one
 * @returns {void}
 */
function spareStreams(conn) {
  if (typeof conn?.on !== 'function' || conn.transport === undefined) {
    return;
  }
  const { server } = conn;
  if (typeof server?.on !== 'function') {
    listenOnce(conn, { flush });
  } else {
    listenOnce(server, { flush: flushOf, initial_headers: corkAcceptance });
  }
}

/**
 * @param {object} emitter a connection or an engine
 * @param {Record<string, Function>} listeners those of its events, which are added once
 * @returns {void}
 */
function listenOnce(emitter, listeners) {
  if (!known.has(emitter)) {
    known.add(emitter);
    for (const [event, listener] of Object.entries(listeners)) {
      emitter.on(event, listener);
    }
  }
}

/**
 * An engine is about to answer the first request of a client. If that accepts a websocket, the packet that opens the
 * connection follows in the microtasks of this turn, unless the application has ids made asynchronously. What a
 * microtask leaves for the next tick comes after all of them.
 *
 * @param {object} _headers the headers of the response
 * @param {import('http').IncomingMessage} request the request
 * @returns {void}
 */
function corkAcceptance(_headers, request) {
  const stream = request?.socket;
  if (request?.headers?.upgrade !== undefined && typeof stream?.cork === 'function') {
    stream.cork();
    queueMicrotask(() => process.nextTick(uncork, stream));
  }
}

/**
 * A connection of an engine is about to hand over its packets.
 *
 * @param {object} conn the connection
 * @param {unknown[]} packets the packets
 * @returns {void}
 */
function flushOf(conn, packets) {
  flush.call(conn, packets);
}

/**
 * A connection is about to hand over its packets, in this tick.
 *
 * @this {object} the connection
 * @param {unknown[]} packets the packets
 * @returns {void}
 */
function flush(packets) {
  const websocket = this.transport?.socket;
  // The stream below the websocket; with long polling, or another engine for websockets, none.
  const stream = websocket?._socket;
  if (typeof stream?.cork !== 'function') {
    return;
  }
  endOnce(stream);
  endOnce(websocket._receiver);
  if (packets?.length > 1) {
    stream.cork();
    process.nextTick(uncork, stream);
  }
}

/**
 * @param {import('stream').Writable} stream a stream whose writes were held back
 * @returns {void}
 */
function uncork(stream) {
  stream.uncork();
}

/**
 * @param {import('stream').Writable | undefined} stream a stream, which keeps an `end` of its own
 * @returns {void}
 */
function endOnce(stream) {
  if (stream instanceof Writable && !Object.hasOwn(stream, 'end')) {
    stream.end = end;
  }
}

/**
 * Ends a stream as its class does, unless it has finished and there is no callback to tell so.
 *
 * @this {import('stream').Writable} the stream
 * @param {...unknown} given what it is to write at last, and whom to call then
 * @returns {import('stream').Writable} the stream
 */
function end(...given) {
  return given.length === 0 && this.writableFinished
    ? this
    : Reflect.apply(Object.getPrototypeOf(this).end, this, given);
}

module.exports = { spareStreams };
