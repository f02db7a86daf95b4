'use strict';

/**
 * Relays the bytes of sockets that the native server cannot read by itself, TLS for example. Each side is
 * read only as fast as the other one takes what it sends.
 */

const { END, RESUME, WRITE } = require('../native/protocol').RelayAction;

/** How many ms a client may take to read what is left for it when its connection closes. */
const CLOSE_TIMEOUT = 30_000;

/** @type {WeakMap<import('./front').HttpFront, Map<number, import('net').Socket>>} by number */
const relayed = new WeakMap();

/**
 * Begins to relay a socket.
 *
 * @param {import('./front').HttpFront} front where the socket came
 * @param {number} number the relay's number
 * @param {import('stream').Duplex} socket the socket
 * @returns {void}
 */
function startRelay(front, number, socket) {
  const native = front.native;
  const sockets = relayed.get(front) ?? new Map();
  relayed.set(front, sockets.set(number, socket));
  socket.setTimeout?.(0);
  socket.setNoDelay?.(true);
  socket.once('end', () => native.relayEnd(number));
  socket.once('close', () => {
    sockets.delete(number);
    native.relayClose(number);
  });
  socket.on('data', (chunk) => {
    if (!native.relayData(number, chunk)) {
      socket.pause();
    }
  });
}

/**
 * Does what the native server asks for.
 *
 * @param {import('./front').HttpFront} front where the socket came
 * @param {number} number the relay's number
 * @param {number} action what to do
 * @param {Buffer} [bytes] what to write
 * @returns {void}
 */
function handleRelayAction(front, number, action, bytes) {
  const socket = relayed.get(front)?.get(number);
  if (socket === undefined) {
    return;
  }
  if (action === WRITE) {
    socket.write(bytes, () => front.native?.relayWritten(number, bytes.length));
  } else if (action === RESUME) {
    socket.resume();
  } else if (action === END) {
    // A client that does not read would keep its socket, and with it the http.Server, for ever.
    const timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT).unref();
    socket.once('close', () => clearTimeout(timer));
    socket.end(() => socket.destroy());
  } else {
    socket.destroy();
  }
}

module.exports = { handleRelayAction, startRelay };
