'use strict';

/**
 * A connection of the native server: what its sockets share. What only few applications look at,
 * `socket.conn` and `socket.client`, is made when it is asked for.
 */

const { EventEmitter } = require('events');
const { makeAssignable } = require('./assignable');
const { isAdminUi, warnOfMuted } = require('../auth/gated-namespaces');
const { DEFAULT } = require('../auth/start-options');
const { endOf, ofConnection } = require('./disconnect-reasons');
const { refuse } = require('./unsupported');

/** Types of Engine.IO's packets, by their digit. */
const TYPES = ['open', 'close', 'ping', 'pong', 'message', 'upgrade', 'noop'];

const { SENT, TEXT, UNCOMPRESSED } = require('../native/protocol').PacketFlag;

/** Events of `socket.conn` that every packet of the connection is needed for. */
const PACKET_EVENTS = ['packet', 'packetCreate', 'message', 'data', 'heartbeat'];

/**
 * What opened a connection.
 *
 * @typedef {object} Opening
 * @property {3 | 4} protocol the version of Engine.IO
 * @property {'polling' | 'websocket'} transport the transport that the connection begins with
 * @property {(connection: Connection) => import('../http/request-snapshot').RequestSnapshot} snapshot gives
 *   what is kept of the request
 */

class Connection {
  /** @type {import('./disconnect-reasons').End | undefined} why it ends, the same for all its sockets */
  #end;
  /**
   * Its only socket, or all of them by namespace, in the order in which they came: most connections
   * have one, but a client may join as many namespaces as it likes.
   *
   * @type {import('./socket').Socket
   *   | Map<import('./namespace').Namespace, import('./socket').Socket> | undefined}
   */
  #sockets;
  #conn;
  #client;
  /** Whether it has a socket in the default namespace, if only one whose middleware is running. */
  #hasDefault = false;
  /** Whether it has, or had, a socket there that LoopbackSockets serve. */
  #isServed = false;
  /** Whether a socket of it has authenticated there; stays so when that socket leaves. */
  #isAuthenticated = false;

  /**
   * @param {object} owner what it shares with the other connections of its server
   * @param {import('./server')} owner.server the server
   * @param {import('../native/link').NativeLink} owner.link the native server, while it runs
   * @param {import('../http/front').HttpFront} owner.front where clients come
   * @param {Map<string, import('./namespace').Namespace>} owner.namespaces by name
   * @param {number} owner.lostConnections how many connections are lost whose end has not been reported
   * @param {string} sid the id of its Engine.IO session
   * @param {Opening} opening what opened it
   */
  constructor(owner, sid, { protocol, transport, snapshot }) {
    this.owner = owner;
    /** The id of its Engine.IO session. */
    this.sid = sid;
    /** The version of Engine.IO, 3 or 4. */
    this.protocol = protocol;
    /** The request that opened it. */
    this.snapshot = snapshot(this);
    this.issued = Date.now();
    this.transport = transport;
    this.isOpen = true;
    /** Whether this side has begun to close it. */
    this.isClosing = false;
    this.isUpgraded = false;
    /** Whether the native server reports its packets. */
    this.isWatched = false;
  }

  /**
   * Adds a socket.
   *
   * @param {import('./socket').Socket} socket the socket
   * @returns {void}
   */
  add(socket) {
    if (this.#sockets === undefined) {
      this.#sockets = socket;
    } else if (this.#sockets instanceof Map) {
      this.#sockets.set(socket.nsp, socket);
    } else {
      const only = this.#sockets;
      this.#sockets = new Map([only, socket].map((one) => [one.nsp, one]));
    }
    this.#hasDefault ||= socket.nsp.name === DEFAULT;
  }

  /**
   * Removes a socket.
   *
   * @param {import('./socket').Socket} socket the socket
   * @returns {void}
   */
  remove(socket) {
    if (this.#sockets === socket) {
      this.#sockets = undefined;
    } else if (this.#sockets instanceof Map && this.#sockets.get(socket.nsp) === socket) {
      this.#sockets.delete(socket.nsp);
    }
    if (socket.nsp.name === DEFAULT) {
      this.#hasDefault = false;
    }
  }

  /**
   * Its sockets.
   *
   * @returns {import('./socket').Socket[]} a copy, in the order in which they came
   */
  get sockets() {
    if (this.#sockets instanceof Map) {
      return [...this.#sockets.values()];
    }
    return this.#sockets === undefined ? [] : [this.#sockets];
  }

  /**
   * @param {string} name a namespace
   * @returns {import('./socket').Socket | undefined} its socket there
   */
  socketIn(name) {
    if (this.#sockets instanceof Map) {
      return this.#sockets.get(this.owner.namespaces.get(name));
    }
    return this.#sockets?.nsp.name === name ? this.#sockets : undefined;
  }

  /**
   * Engine.IO's view.
   *
   * @returns {EngineSocket} made on first use
   */
  get conn() {
    this.#conn ??= new EngineSocket(this);
    return this.#conn;
  }

  /**
   * Has the native server report packets while `socket.conn` has listeners for them.
   *
   * @returns {void}
   */
  watch() {
    const { sid } = this;
    const { native, commands } = this.owner.link;
    const isWatched = PACKET_EVENTS.some((event) => this.#conn?.listenerCount(event) > 0);
    if (isWatched !== this.isWatched && this.isOpen) {
      this.isWatched = isWatched;
      native?.watchReceived(sid, isWatched);
      // A command like any other, so that a listener learns of what is sent after it was added.
      commands?.watchSent(sid, isWatched);
    }
  }

  /**
   * A packet came from the client or is queued for it.
   *
   * @param {number} digit its type
   * @param {number} flags what is so of it
   * @param {Buffer} bytes what it carries
   * @returns {void}
   */
  packet(digit, flags, bytes) {
    const type = TYPES[digit];
    const data = (flags & TEXT) > 0 ? bytes.toString() : bytes;
    const carries = type === 'message' || bytes.length > 0;
    if ((flags & SENT) > 0) {
      const options = { compress: (flags & UNCOMPRESSED) === 0 };
      this.emit('packetCreate', carries ? { type, options, data } : { type, options });
      return;
    }
    this.emit('packet', carries ? { type, data } : { type });
    if (type === 'message') {
      this.emit('data', data);
      this.emit('message', data);
    } else if (type === 'ping' || type === 'pong') {
      // The client pings in version 3 of Engine.IO, and answers in version 4.
      this.emit('heartbeat');
    }
  }

  /**
   * What opened the connection, unless the application took it away.
   *
   * @returns {import('http').IncomingMessage | undefined} the request
   */
  get httpRequest() {
    return this.#conn === undefined ? this.snapshot.request : this.#conn.request;
  }

  /**
   * The headers, the URL and the query of what opened the connection, unless the application took it away.
   *
   * @returns {{headers: import('http').IncomingHttpHeaders, url: string, _query?: Record<string, string>} | undefined}
   *   these, for `queryOf`
   */
  get head() {
    const own = this.#conn && Object.getOwnPropertyDescriptor(this.#conn, 'request');
    const isAsItWas = this.#conn === undefined || own?.get === REQUEST.get;
    return isAsItWas ? this.snapshot.head : own?.value;
  }

  /**
   * The address of the client, or what the application has assigned to `remoteAddress`.
   *
   * @returns {string | undefined} the address, for `handshake`
   */
  get clientAddress() {
    const isAssigned = this.#conn !== undefined && Object.hasOwn(this.#conn, 'remoteAddress');
    return isAssigned ? this.#conn.remoteAddress : this.snapshot.clientAddress;
  }

  /**
   * Socket.IO's view.
   *
   * @returns {Client} made on first use
   */
  get client() {
    this.#client ??= new Client(this);
    return this.#client;
  }

  /**
   * @param {number} code the `CloseReason` of a socket of the connection, or of itself
   * @param {unknown} more what there is to say of it besides
   * @returns {import('./disconnect-reasons').End} the reason and details for listeners
   */
  endOf(code, more) {
    if (this.#end?.code !== code) {
      this.#end = endOf(code, more);
    }
    return this.#end;
  }

  /**
   * Ends the connection at once.
   *
   * @returns {void}
   */
  terminate() {
    this.owner.link.native?.terminate(this.sid);
  }

  /**
   * The connection is lost: known from the end of a socket, which the native server reports before that of the
   * connection.
   *
   * @returns {void}
   */
  markLost() {
    if (this.isOpen) {
      this.isOpen = false;
      this.owner.lostConnections += 1;
    }
  }

  /**
   * Has Rust end the connection.
   *
   * @returns {void}
   */
  requestClose() {
    if (this.isOpen) {
      this.isClosing = true;
      this.owner.link.commands?.closeConnection(this.sid);
    }
  }

  /**
   * The connection has ended, and its server has forgotten it.
   *
   * @param {number} code its `CloseReason`
   * @param {unknown} more what there is to say of that besides
   * @returns {void}
   */
  close(code, more) {
    this.markLost();
    this.owner.lostConnections -= 1;
    if (this.#conn !== undefined) {
      const { reason, details } = this.endOf(code, more);
      this.emit('close', ofConnection(reason), details);
    }
  }

  /**
   * Emits an event of Engine.IO on `socket.conn`, if the application has asked for that.
   *
   * @param {string} event its name
   * @param {...unknown} args its arguments
   * @returns {void}
   */
  emit(event, ...args) {
    this.#conn?.emit(event, ...args);
  }

  /**
   * A socket joins its namespace: broadcasts reach it at once, or pass it by for now. A connection
   * asks this for each of its sockets, so it takes the same time however many there are.
   *
   * @param {import('./socket').Socket} socket the socket
   * @returns {void}
   */
  joined(socket) {
    const { nsp } = socket;
    const isMuted = this.#isMuted(nsp);
    socket._mute(socket._isPending || isMuted);
    if (isMuted && !this.#hasDefault) {
      warnOfMuted(nsp, () => socket.connected && !this.#hasDefault && this.#isMuted(nsp));
    }
    if (nsp.name === DEFAULT && socket._isPending && !this.#isServed) {
      this.#isServed = true;
      // For sockets that joined before `start()`.
      this.#updateMuted();
    }
  }

  /**
   * A socket has authenticated, or the application has exempted it: broadcasts reach it. If it is of the
   * default namespace, those of gated namespaces reach the connection from now on.
   *
   * @param {import('./socket').Socket} socket the socket
   * @returns {void}
   */
  authenticated(socket) {
    socket._mute(this.#isMuted(socket.nsp));
    if (socket.nsp.name === DEFAULT && !this.#isAuthenticated) {
      this.#isAuthenticated = true;
      this.#updateMuted();
    }
  }

  /**
   * @param {import('./namespace').Namespace} nsp a namespace
   * @returns {boolean} whether its broadcasts do not reach this connection
   */
  #isMuted(nsp) {
    return nsp._isGated && !this.#isAuthenticated && !isAdminUi(nsp);
  }

  /**
   * Goes through all sockets of the connection, which happens at most twice in its life.
   *
   * @returns {void}
   */
  #updateMuted() {
    for (const socket of this.sockets) {
      socket._mute(socket._isPending || this.#isMuted(socket.nsp));
    }
  }
}

/** A property of `socket.conn`'s own, so that it can be deleted; a request is made when it is read. */
const REQUEST = {
  configurable: true,
  enumerable: true,
  get() {
    return this._opened;
  },
  set(value) {
    Object.defineProperty(this, 'request', { value, writable: true });
  },
};

/**
 * `socket.conn`: emits `upgrade` and `close`, and, as packets come and go, `packet`, `packetCreate`,
 * `message`, `data` and `heartbeat`.
 */
class EngineSocket extends EventEmitter {
  #connection;

  /**
   * @param {Connection} connection the connection
   */
  constructor(connection) {
    super();
    this.#connection = connection;
    Object.defineProperty(this, 'request', REQUEST);
  }

  /**
   * Its listeners have changed.
   *
   * @returns {void}
   */
  _watch() {
    this.#connection.watch();
  }

  /**
   * @returns {import('http').IncomingMessage} what opened the connection
   */
  get _opened() {
    return this.#connection.snapshot.request;
  }

  /** @returns {string} the id of the Engine.IO session */
  get id() {
    return this.#connection.sid;
  }

  /** @returns {number} the version of Engine.IO, 3 or 4 */
  get protocol() {
    return this.#connection.protocol;
  }

  /** @returns {string | undefined} the address at its other end: the client's, or a proxy's */
  get remoteAddress() {
    return this.#connection.snapshot.address;
  }

  /** @returns {{name: string}} the transport in use, `polling` or `websocket` */
  get transport() {
    return { name: this.#connection.transport };
  }

  /** @returns {string} `open`, `closing` or `closed` */
  get readyState() {
    const { isOpen, isClosing } = this.#connection;
    if (!isOpen) {
      return 'closed';
    }
    return isClosing ? 'closing' : 'open';
  }

  /** @returns {boolean} whether the connection began with polling and is a websocket now */
  get upgraded() {
    return this.#connection.isUpgraded;
  }

  /** @returns {object} `io.engine` */
  get server() {
    return this.#connection.owner.server.engine;
  }

  /**
   * Ends the connection.
   *
   * @returns {this} itself
   */
  close() {
    this.#connection.requestClose();
    return this;
  }
}

for (const method of [
  'on',
  'addListener',
  'once',
  'prependListener',
  'prependOnceListener',
  'off',
  'removeListener',
  'removeAllListeners',
]) {
  EngineSocket.prototype[method] = function changed(...args) {
    Reflect.apply(EventEmitter.prototype[method], this, args);
    this._watch();
    return this;
  };
}

makeAssignable(EngineSocket.prototype, [
  'id',
  'protocol',
  'readyState',
  'remoteAddress',
  'server',
  'transport',
  'upgraded',
]);

refuse(EngineSocket.prototype, { send: 'socket.send()', write: 'socket.send()' });

/**
 * `socket.client`: what several namespaces of one client share, and where adapters write to.
 */
class Client {
  #connection;

  /**
   * @param {Connection} connection the connection
   */
  constructor(connection) {
    this.#connection = connection;
    this.server = connection.owner.server;
  }

  /** @returns {EngineSocket} Engine.IO's view */
  get conn() {
    return this.#connection.conn;
  }

  /** @returns {string} the id of the Engine.IO session */
  get id() {
    return this.#connection.sid;
  }

  /** @returns {import('http').IncomingMessage} what opened the connection */
  get request() {
    return this.#connection.httpRequest;
  }

  /**
   * Sends what the encoder of the server has encoded to the client, for the adapter of a namespace.
   *
   * @param {import('./adapters/encoder').EncodedPacket
   *   | [import('./adapters/encoder').EncodedPacket]} encoded what `encode()` gave, or what is in that
   * @param {{volatile?: boolean, compress?: boolean}} flags how
   * @returns {void}
   */
  writeToEngine(encoded, flags) {
    const packet = Array.isArray(encoded) ? encoded[0] : encoded;
    this.#connection.socketIn(packet.nsp)?._deliver(packet, flags);
  }

  /** @returns {Map<string, import('./socket').Socket>} the client's sockets, by id */
  get sockets() {
    return new Map(this.#connection.sockets.map((socket) => [socket.id, socket]));
  }
}

makeAssignable(Client.prototype, ['conn', 'id', 'sockets']);

module.exports = { Connection };
