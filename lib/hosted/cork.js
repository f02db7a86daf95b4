'use strict';

/**
 * One write for all the frames that an npm `socket.io` server sends a client at once. Engine.IO hands its
 * websocket a frame for each packet, and each would be a system call of its own: more than half of
 * what a busy server does.
 */

/** @type {WeakSet<object>} the connections whose flushes are corked */
const known = new WeakSet();

/**
 * Has the frames that a connection flushes together written together.
 *
 * @param {object} conn the connection as Engine.IO sees it; left alone if it does not look like one
 * @returns {void}
 */
function corkFlushes(conn) {
  if (typeof conn?.on === 'function' && conn.transport !== undefined && !known.has(conn)) {
    known.add(conn);
    conn.on('flush', cork);
  }
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
