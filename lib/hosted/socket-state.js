'use strict';

/**
 * What this folder knows of a socket of an npm server, kept on the socket itself. A `WeakMap` for each of these
 * would take more memory, and more time of the garbage collector, for every connection.
 */

/** Where a socket has it: not enumerable, as it is for this folder alone. */
const STATE = Symbol('loopback-socket.state');

/** @type {WeakMap<object, SocketState>} the same of sockets that take no property */
const states = new WeakMap();

class SocketState {
  constructor() {
    /** What `socket.auth` is. */
    this.auth = false;
    /** @type {object | undefined} what serves the socket, as long as it is connected */
    this.hosted = undefined;
    /** @type {unknown} why no broadcast reaches the socket; a set, if there are several reasons */
    this.hidden = undefined;
  }
}

/**
 * @param {object} socket a socket
 * @returns {SocketState | undefined} what is known of it, if anything is
 */
function knownState(socket) {
  return socket[STATE] ?? states.get(socket);
}

/**
 * @param {object} socket a socket
 * @returns {SocketState} what is known of it from now on
 */
function stateOf(socket) {
  let state = knownState(socket);
  if (state === undefined) {
    state = new SocketState();
    try {
      Object.defineProperty(socket, STATE, { value: state });
    } catch {
      states.set(socket, state);
    }
  }
  return state;
}

module.exports = { knownState, stateOf };
