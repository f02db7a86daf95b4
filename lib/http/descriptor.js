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
  const isPlain =
    (!socket.encrypted || decrypted.has(socket)) && PLAIN.has(handle?.constructor.name);
  return isPlain && handle.fd >= 0 ? handle.fd : NONE;
}

module.exports = { descriptorOf, markDecrypted };
