'use strict';

/** The descriptors of Node's sockets, which Rust can read and write in Node's place. */

const { NONE } = require('../native/protocol').Layout;

/** The handles that Node keeps of sockets whose descriptor carries their bytes as they are. */
const PLAIN = new Set(['TCP', 'Pipe']);

/**
 * @param {import('net').Socket} socket a socket
 * @returns {number} its descriptor, if that carries its bytes as they are; else `NONE`
 */
function descriptorOf(socket) {
  const handle = socket._handle;
  const isPlain = !socket.encrypted && PLAIN.has(handle?.constructor.name);
  return isPlain && handle.fd >= 0 ? handle.fd : NONE;
}

module.exports = { descriptorOf };
