'use strict';

/**
 * One write for all the frames that an npm `socket.io` server sends a client at once. Engine.IO hands its
 * websocket a frame for each packet, and each would be a system call of its own: more than half of
 * what a busy server does.
 */

/** @type {WeakSet<object>} the engines, and the connections without one, whose flushes are corked */
const known = new WeakSet();

/**
 * Has the frames that a connection flushes together written together. Its engine tells of the flushes of all its
 * connections, so that they need no listeners of their own.
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
    listenOnce(conn, cork);
  } else {
    listenOnce(server, corkOf);
  }
}

/**
 * @param {object} emitter what emits `flush`
 * @param {Function} listener its listener, which is added once
 * @returns {void}
 */
function listenOnce(emitter, listener) {
  if (!known.has(emitter)) {
    known.add(emitter);
    emitter.on('flush', listener);
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
