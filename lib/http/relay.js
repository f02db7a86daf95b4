'use strict';

/**
 * Carries the bytes of sockets that the native server cannot read by itself. Neither side is sent
 * more than the other takes.
 */

const { END, RESUME, WRITE } = require('../native/protocol').RelayAction;

/** How long a client may take to read what is left for it, in ms. */
const FAREWELL = 30_000;

/** @type {WeakMap<import('./front').HttpFront, Map<number, import('net').Socket>>} what is carried */
const carried = new WeakMap();

/**
 * Begins to carry.
 *
 * @param {import('./front').HttpFront} front where to
 * @param {number} number the pump's number there
 * @param {import('stream').Duplex} socket the socket
 * @returns {void}
 */
function pump(front, number, socket) {
  const native = front.native;
  const sockets = carried.get(front) ?? new Map();
  carried.set(front, sockets.set(number, socket));
  socket.setTimeout?.(0);
  socket.setNoDelay?.(true);
  socket.once('end', () => native.pumpEnd(number));
  socket.once('close', () => {
    sockets.delete(number);
    native.pumpClose(number);
  });
  socket.on('data', (chunk) => {
    if (!native.pumpData(number, chunk)) {
      socket.pause();
    }
  });
}

/**
 * Does what the native server says.
 *
 * @param {import('./front').HttpFront} front who says it
 * @param {number} number the pump's number
 * @param {number} action what to do
 * @param {Buffer} [bytes] what to write
 * @returns {void}
 */
function pumped(front, number, action, bytes) {
  const socket = carried.get(front)?.get(number);
  if (socket === undefined) {
    return;
  }
  if (action === WRITE) {
    socket.write(bytes, () => front.native?.pumpWritten(number, bytes.length));
  } else if (action === RESUME) {
    socket.resume();
  } else if (action === END) {
    // A client that does not read would keep its socket, and with it the http.Server, for ever.
    const timer = setTimeout(() => socket.destroy(), FAREWELL).unref();
    socket.once('close', () => clearTimeout(timer));
    socket.end(() => socket.destroy());
  } else {
    socket.destroy();
  }
}

module.exports = { pump, pumped };
