'use strict';

/**
 * One write for all that an npm `socket.io` server sends a client at once. Engine.IO hands its websocket a frame for
 * each packet, and each would be a system call of its own: more than half of what a busy server does. So would be
 * the response that accepts a websocket, and the packet that opens its connection.
 */

/** @type {WeakSet<object>} the engines, and the connections without one, whose flushes are corked */
const known = new WeakSet();

/**
 * Has written together what a connection flushes together. Its engine tells of the flushes of all its connections,
 * so that they need no listeners of their own.
 *
 * @param {object} conn the connection as Engine.IO sees it; left alone if it does not look like one
 * @returns {void}
 */
function corkFlushes(conn) {
  if (typeof conn?.on !== 'function' || conn.transport === undefined) {
    return;
  }
  const { server } = conn;
  if (typeof server?.on !== 'function') {
    listenOnce(conn, { flush: cork });
  } else {
    listenOnce(server, { flush: corkOf, initial_headers: corkAcceptance });
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
function corkOf(conn, packets) {
  cork.call(conn, packets);
}

/**
 * A connection is about to hand over its packets, in this tick.
 *
 * @this {object} the connection
 * @param {unknown[]} packets the packets
 * @returns {void}
 */
function cork(packets) {
  // The stream below the websocket; with long polling, or another engine for websockets, none.
  const stream = this.transport?.socket?._socket;
  if (packets?.length > 1 && typeof stream?.cork === 'function') {
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

module.exports = { corkFlushes };
