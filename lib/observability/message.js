'use strict';

/**
 * What is published on channels. Fields that OpenTelemetry has a name for have that name.
 *
 * What must stay true: no credentials, arguments or results are in a message. Subscribers reach the socket and the
 * result by getters of the class, which neither `JSON.stringify()` nor a logger that lists properties reads.
 */

/** The value of `rpc.system.name`. */
const SYSTEM = 'loopback-socket';

/** What `network.protocol.name` is for each transport. */
const PROTOCOLS = { polling: 'http', websocket: 'websocket' };

/**
 * A method of native sockets that gives the address of the client and the transport. Their `handshake` and `conn` would
 * be made by reading them, and kept.
 */
const DESCRIBE = Symbol('loopback-socket.describe');

/** What is published of a socket: by `connect`, `disconnect`, and whatever happens to it. */
class SocketMessage {
  #socket;

  /**
   * @param {object} socket a socket of any server, or an emitter that looks like one
   */
  constructor(socket) {
    this.#socket = socket;
    this['loopback_socket.server'] = isNative(socket) ? 'native' : 'hosted';
    this['messaging.socket.io.namespace'] = namespaceOf(socket);
    this['messaging.client.id'] = idOf(socket);
    const { address, transport } = connectionOf(socket);
    this['client.address'] = address;
    this['network.protocol.name'] = PROTOCOLS[transport];
  }

  /** @returns {object} the socket */
  get socket() {
    return this.#socket;
  }
}

/** A socket has connected. */
class ConnectMessage extends SocketMessage {}

/** A socket has disconnected. */
class DisconnectMessage extends SocketMessage {
  /**
   * @param {object} socket the socket
   * @param {unknown} reason why, in Socket.IO's words
   * @param {boolean} isTimedOut whether its client has not authenticated in time
   */
  constructor(socket, reason, isTimedOut) {
    super(socket);
    this.reason = reason;
    this.authenticated = Boolean(socket.auth);
    this.authenticationTimedOut = isTimedOut;
  }
}

/** An attempt to authenticate, a call, or a request to subscribe: the same object for all events of it. */
class TraceMessage extends SocketMessage {
  #result;

  /**
   * @param {'authenticate' | 'call' | 'subscribe'} kind what it is
   * @param {object} socket the socket of the client
   * @param {import('../loopback-socket')} instance the LoopbackSocket
   * @param {string} method what the client calls
   */
  constructor(kind, socket, instance, method) {
    super(socket);
    const name = typeof instance._name === 'string' ? instance._name : '';
    this.kind = kind;
    this['loopback_socket.name'] = name;
    this['messaging.socket.io.event_name'] = method;
    this['rpc.system.name'] = SYSTEM;
    this['rpc.method'] = name === '' ? method : `${name}/${method}`;
    this.duration = undefined;
  }

  /** @returns {unknown} what the client is answered with, once the handler is done */
  get result() {
    return this.#result;
  }

  /**
   * It is done.
   *
   * @param {number} duration how long it took, in ms
   * @param {unknown} [result] the result, if it has not failed
   * @returns {void}
   */
  done(duration, result) {
    this.duration = duration;
    this.#result = result;
  }

  /**
   * It has failed.
   *
   * @param {unknown} error with what
   * @returns {void}
   */
  failed(error) {
    this.#result = undefined;
    this.error = error;
    this['error.type'] = typeOf(error);
  }
}

/**
 * @param {object} socket a socket
 * @returns {string | undefined} its id, if it has one
 */
function idOf(socket) {
  return stringOf(() => socket.id);
}

/**
 * @param {object} socket a socket
 * @returns {string | undefined} the name of its namespace, if it has one
 */
function namespaceOf(socket) {
  return stringOf(() => socket.nsp?.name);
}

/**
 * @param {object} socket a socket
 * @returns {boolean} whether it is one of the native server
 */
function isNative(socket) {
  return typeof socket[DESCRIBE] === 'function';
}

/**
 * @param {object} socket a socket
 * @returns {{address?: string, transport?: string}} the address of its client, and its transport
 */
function connectionOf(socket) {
  return isNative(socket)
    ? socket[DESCRIBE]()
    : {
        address: stringOf(() => socket.handshake?.address),
        transport: stringOf(() => socket.conn?.transport?.name),
      };
}

/**
 * @param {() => unknown} get reads a property of an object that may be the application's own
 * @returns {string | undefined} it, if it is a string
 */
function stringOf(get) {
  try {
    const value = get();
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The value of `error.type`.
 *
 * @param {unknown} error what a handler failed with
 * @returns {string} its code, the name of its class, or `_OTHER` if it has neither
 */
function typeOf(error) {
  const object = typeof error === 'object' && error !== null ? error : undefined;
  return stringOf(() => object?.code) ?? stringOf(() => object?.name) ?? '_OTHER';
}

module.exports = { DESCRIBE, ConnectMessage, DisconnectMessage, TraceMessage, idOf };
