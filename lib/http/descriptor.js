'use strict';

/** The descriptors of Node's sockets, which Rust can read and write in Node's place. */

const { NONE } = require('../native/protocol').Layout;

/** The handles that Node keeps of sockets whose descriptor carries their bytes as they are. */
const PLAIN = new Set(['TCP', 'Pipe']);

/** @type {WeakSet<import('net').Socket>} sockets of clients that came by TLS, and whose bytes Rust decrypts */
const decrypted = new WeakSet();

/**
 * @param {import('net').Socket} socket a socket whose bytes Rust decrypts
 * @returns {void}
 */
function markDecrypted(socket) {
  decrypted.add(socket);
}

/**
 * @param {import('net').Socket} socket a socket
 * @returns {number} its descriptor, if that carries its bytes as they are; else `NONE`
 */
function descriptorOf(socket) {
  const handle = socket._handle;
  const isReadable = !socket.encrypted || decrypted.has(socket);
  return isReadable && isPlain(handle) && handle.fd >= 0 ? handle.fd : NONE;
}

/**
 * @param {unknown} handle what Node keeps of a socket
 * @returns {boolean} whether its descriptor carries the bytes of the socket as they are
 */
function isPlain(handle) {
  return PLAIN.has(handle?.constructor.name);
}

module.exports = { descriptorOf, isPlain, markDecrypted };
