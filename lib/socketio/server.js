'use strict';

/**
 * The native server's JavaScript face: Socket.IO's `Server`, whose work Rust does.
 */

const { EventEmitter } = require('events');
const http = require('http');
const https = require('https');
const { setImmediate } = require('timers');
const { NativeServer } = require('../native/binding');
const { AcceptedWebsockets } = require('../http/accepted-websockets');
const { attach } = require('../http/attach');
const { BroadcastOperator, delegateOperators } = require('./broadcast-operator');
const { Connection } = require('./connection');
const { Engine } = require('./engine');
const { InvalidServerError, UnsupportedApiError } = require('../errors');
const { isLeftOut } = require('../auth/gated-namespaces');
const { refuse } = require('./unsupported');
const { guarded } = require('../events');
const { assembler, parseBatch, dispatch } = require('../native/event-batch');
const { kindOf } = require('../host-kinds');
const { Namespace } = require('./namespace');
const { serverOptions } = require('./options');
const { Output } = require('../native/command-writer');
const { ParentNamespace } = require('./parent-namespace');
const { breakOff } = require('../http/polling');
const { Receiver } = require('./event-handlers');

const SERVE = Symbol.for('loopback-socket.serve');

/** Bun has symbols of libuv, but most of them end the process. */
const HAS_LIBUV = process.versions.bun === undefined;

/** The longest delay of a timer, in ms: that of the one that keeps the process alive. */
const LONGEST = 2 ** 31 - 1;

class Server extends EventEmitter {
  /** Whether `close()` was called. */
  _isClosing = false;
  /** @type {Map<string, Namespace>} by name */
  _nsps = new Map();
  /** @type {Map<number, Connection>} by number */
  _connections = new Map();
  /** The websockets that Rust has taken over from Node's servers. */
  _accepted = new AcceptedWebsockets();
  /** @type {Map<number, import('./socket').Socket>} by number */
  _sockets = new Map();
  /** @type {Map<number, import('../http/polling').Exchange>} requests of long polling under way */
  _responses = new Map();
  /** @type {Map<Function, ParentNamespace>} by what says whether it has a namespace of a name */
  _parents = new Map();
  /** The http.Server that clients come to. */
  httpServer;
  #given;
  /** @type {(() => void)[]} what takes its listeners off the http.Servers it is attached to */
  #detach = [];
  /** @type {http.Server[]} where clients come, and came */
  _httpServers = [];
  /** Numbers count up and are exact as doubles for longer than any process lives: none comes again. */
  _lastConnection = 0;
  _lastRequest = 0;
  #alive;
  #closed;
  #finish;
  /** @type {Set<import('../loopback-socket')>} the LoopbackSockets that serve the whole server */
  #servedBy = new Set();

  /**
   * @param {http.Server | https.Server | number | string | import('./options').ServerOptions} [where]
   *   where clients come: a server, or a port that one is made for; or the options, for `attach()`
   *   later
   * @param {import('./options').ServerOptions} [options] see there
   * @throws {InvalidServerError} if clients cannot come there
   * @throws {InvalidOptionError} if an option is unknown or impossible
   */
  constructor(where, options) {
    super();
    const isOptions = options === undefined && isPlainObject(where);
    this.#given = (isOptions ? where : options) ?? {};
    this._options = serverOptions(this.#given);
    /** What is above a single connection. */
    this.engine = new Engine(
      () => this._connections.size,
      () => this._output && this._native.closeConnections(),
    );
    this.engine.opts = this._options;
    /** The default namespace. */
    this.sockets = this.of('/');
    if (where !== undefined && where !== null && !isOptions) {
      this.attach(where);
    }
  }

  /**
   * Has clients come to a server.
   *
   * @param {http.Server | https.Server | number | string} where the server, or a port
   * @param {import('./options').ServerOptions} [options] added to those of the constructor
   * @returns {this} the server
   * @throws {InvalidServerError} if clients cannot come there, or while the server is closing
   * @throws {InvalidOptionError} if an option is unknown or impossible
   */
  attach(where, options) {
    const port = portOf(where);
    if (port === undefined && !isHttpServer(where)) {
      throw new InvalidServerError(where, false, kindOf(where));
    }
    if (this._isClosing && this._native !== undefined) {
      throw new InvalidServerError(where, true);
    }
    if (options !== undefined) {
      this.#given = { ...this.#given, ...options };
      this._options = serverOptions(this.#given);
      this.engine.opts = this._options;
    }
    this.httpServer = port === undefined ? where : http.createServer(notFound);
    this.#begin();
    this._httpServers.push(this.httpServer);
    this.#detach.push(attach(this, this.httpServer));
    if (port !== undefined) {
      this.httpServer.listen(port);
    }
    return this;
  }

  /**
   * The same as `attach`.
   *
   * @param {http.Server | https.Server | number | string} where the server, or a port
   * @param {import('./options').ServerOptions} [options] added to those of the constructor
   * @returns {this} the server
   */
  listen(where, options) {
    return this.attach(where, options);
  }

  /**
   * A namespace, made on first use. A regular expression, or a function `(name, auth, next)` that
   * calls `next(null, whether)`, gives a parent: its namespaces are made when clients ask for them.
   *
   * @param {string | RegExp | Function} name its name; a slash in front may be left out
   * @param {(socket: import('./socket').Socket) => void} [onConnect] a listener for its sockets
   * @returns {Namespace} the namespace
   */
  of(name, onConnect) {
    const namespace =
      typeof name === 'function' || name instanceof RegExp
        ? this.#parentOf(name)
        : this.#namespaceOf(String(name));
    if (onConnect !== undefined) {
      namespace.on('connect', onConnect);
    }
    return namespace;
  }

  /**
   * Has a LoopbackSocket serve the whole server: the sockets of the default namespace authenticate,
   * and the other namespaces that there are wait for them.
   *
   * @param {import('../loopback-socket')} instance the LoopbackSocket
   * @param {import('../auth/start-options').StartOptions} options of `start()`
   * @returns {void}
   */
  [SERVE](instance, options) {
    if (this.#servedBy.has(instance)) {
      return;
    }
    this.#servedBy.add(instance);
    this.sockets[SERVE](instance, options);
    for (const namespace of this._nsps.values()) {
      namespace._isGated ||= namespace !== this.sockets && !isLeftOut(namespace.name, options.open);
    }
  }

  /**
   * Emits an event to every socket of the default namespace that may hear it.
   *
   * @param {string} event its name
   * @param {...unknown} args its arguments
   * @returns {boolean} true
   */
  emit(event, ...args) {
    return this.sockets.emit(event, ...args);
  }

  /**
   * Ends every socket, the http.Server and all that keeps the process alive. Closing twice is
   * harmless; a closed server may be attached again.
   *
   * @param {(error?: Error) => void} [done] called when all is closed, with the http.Server's error
   *   if it was not listening, or not any more
   * @returns {Promise<void>} the same as a promise, never rejected
   */
  async close(done) {
    const isFirst = !this._isClosing;
    if (isFirst) {
      this._isClosing = true;
      // There before anything is closed: a listener of a socket that ends may call this again.
      let closed;
      this.#closed = new Promise((resolve) => {
        closed = resolve;
      });
      closed(this.#close());
    }
    const error = await this.#closed;
    if (typeof done === 'function') {
      process.nextTick(done, isFirst ? error : notRunning());
    }
  }

  /**
   * @returns {Promise<Error | undefined>} when all is closed
   */
  async #close() {
    if (this._native === undefined) {
      return undefined;
    }
    const connectionsEnded = new Promise((resolve) => {
      this.#finish = resolve;
    });
    const httpClosed = new Promise((resolve) => {
      this.httpServer.close(resolve);
    });
    for (const socket of [...this._sockets.values()]) {
      guarded(() => socket._end('server shutting down'));
    }
    this._output.flush();
    this._native.close();
    if (this._connections.size === 0) {
      this.#finish();
    }
    const [error] = await Promise.all([httpClosed, connectionsEnded]);
    for (const detach of this.#detach.splice(0).reverse()) {
      detach();
    }
    this._httpServers = [];
    this._native.release();
    this._native = undefined;
    this._output = undefined;
    return error;
  }

  /**
   * Makes the native server, unless there is one.
   *
   * @returns {void}
   */
  #begin() {
    if (this._native !== undefined) {
      return;
    }
    this._isClosing = false;
    const receiver = new Receiver(this);
    const assemble = assembler(this._options.parser);
    const receive = (batch, attachments, more, isLarge) => {
      const values = parseBatch(batch, () => native.records(), receiver.malformed);
      output.gather();
      try {
        dispatch(receiver, values, attachments, assemble);
      } finally {
        try {
          // Not in a tick of its own: what handlers that are done have answered is complete.
          output.flush();
        } finally {
          if (isLarge) {
            native.heard();
          }
          if (more) {
            setImmediate(() => native.resume());
          }
        }
      }
    };
    const native = new NativeServer(this._options, receive, HAS_LIBUV);
    const output = new Output(native, this._options.parser);
    this._native = native;
    this._output = output;
    for (const namespace of this._nsps.values()) {
      namespace._index = native.namespace(namespace.name);
    }
    if (this._parents.size > 0) {
      native.askForNamespaces();
    }
  }

  /**
   * @param {string} name a namespace's name
   * @returns {Namespace} the namespace
   */
  #namespaceOf(name) {
    const full = name.startsWith('/') ? name : `/${name}`;
    const known = this._nsps.get(full);
    if (known !== undefined) {
      return known;
    }
    for (const parent of this._parents.values()) {
      if (parent.pattern?.test(full)) {
        return parent.createChild(full);
      }
    }
    const namespace = new Namespace(this, full);
    this._add(namespace);
    return namespace;
  }

  /**
   * @param {RegExp | Function} pattern what says whether a parent has a namespace of a name
   * @returns {ParentNamespace} a new parent
   */
  #parentOf(pattern) {
    const parent = new ParentNamespace(this);
    if (pattern instanceof RegExp) {
      parent.pattern = pattern;
      this._parents.set((name, auth, next) => next(null, pattern.test(name)), parent);
    } else {
      this._parents.set(pattern, parent);
    }
    this._native?.askForNamespaces();
    return parent;
  }

  /**
   * Adds a namespace.
   *
   * @param {Namespace} namespace the namespace
   * @returns {void}
   */
  _add(namespace) {
    this._nsps.set(namespace.name, namespace);
    namespace._index = this._native?.namespace(namespace.name);
    if (namespace.name !== '/') {
      this.sockets._tell('new_namespace', namespace);
    }
  }

  /**
   * Forgets a namespace that has no sockets.
   *
   * @param {Namespace} namespace the namespace
   * @returns {void}
   */
  _drop(namespace) {
    if (this._nsps.get(namespace.name) === namespace) {
      this._nsps.delete(namespace.name);
      this._native?.removeNamespace(namespace._index);
    }
  }

  /**
   * @returns {number} a number for a connection that a request may open
   */
  _nextConnection() {
    this._lastConnection += 1;
    return this._lastConnection;
  }

  /**
   * @returns {number} a number for a request of long polling
   */
  _nextRequest() {
    this._lastRequest += 1;
    return this._lastRequest;
  }

  /**
   * A connection is open on the native server: the process lives as long as one does.
   *
   * @param {number} number its number
   * @param {string} id the id of its session
   * @param {http.IncomingMessage} request what opened it
   * @param {string} [address] the client's address
   * @returns {Connection} the connection
   */
  _opened(number, id, request, address) {
    this._stayAlive();
    const connection = new Connection(this, id, request, address);
    this._connections.set(number, connection);
    if (this.engine._isHeard) {
      connection.isWatched = true;
      guarded(() => this.engine.emit('connection', connection.conn));
      connection.watch();
    }
    return connection;
  }

  /**
   * The process lives as long as a connection or a websocket does.
   *
   * @returns {void}
   */
  _stayAlive() {
    this.#alive ??= setInterval(() => {}, LONGEST);
  }

  /**
   * @returns {void}
   */
  #restIfEmpty() {
    if (this._connections.size === 0 && this._accepted.size === 0) {
      clearInterval(this.#alive);
      this.#alive = undefined;
    }
  }

  /**
   * A websocket is closed, which Rust had taken over.
   *
   * @param {number} owner the number it was handed over with
   * @returns {void}
   */
  _released(owner) {
    guarded(() => this._accepted.closed(owner));
    this.#restIfEmpty();
  }

  /**
   * A connection has ended, after its sockets did.
   *
   * @param {number} number its number
   * @param {number} code why it ended, by the native server's code
   * @returns {void}
   */
  _closed(number, code) {
    const connection = this._connections.get(number);
    this._connections.delete(number);
    this.#restIfEmpty();
    if (this._connections.size === 0 && this._isClosing) {
      this.#finish?.();
    }
    if (connection !== undefined) {
      breakOff(this, connection.sid);
      connection.close(code);
    }
  }

  /**
   * @param {import('./socket').Socket} socket a socket
   * @returns {boolean} whether the native server has it
   */
  _isLive(socket) {
    return this._sockets.get(socket._number) === socket;
  }

  /**
   * A socket has ended on this side.
   *
   * @param {import('./socket').Socket} socket the socket
   * @returns {void}
   */
  _forget(socket) {
    if (this._isLive(socket)) {
      this._sockets.delete(socket._number);
      socket.nsp._remove(socket);
      socket._connection.remove(socket);
    }
  }
}

// Settings that Socket.IO lets be changed later are options here.
for (const option of ['path', 'serveClient', 'connectTimeout']) {
  Server.prototype[option] = function setting(...value) {
    if (value.length > 0 && value[0] !== undefined) {
      throw new UnsupportedApiError(`${option}(value)`, `the option \`${option}\``);
    }
    return this._options[option];
  };
}

const HOSTED = 'a Socket.IO server with that adapter, and pass it to start(io)';
refuse(Server.prototype, {
  'adapter(value)': HOSTED,
  'attachApp(app)': 'attach(httpServer)',
  'bind(engine)': 'attach(httpServer)',
});

// As in Socket.IO, what is said to the server is said to its default namespace.
delegateOperators(Server.prototype, (server) => new BroadcastOperator(server.sockets));
for (const method of [
  'addListener',
  'clients',
  'eventNames',
  'getMaxListeners',
  'listenerCount',
  'listeners',
  'off',
  'on',
  'once',
  'prependListener',
  'prependOnceListener',
  'rawListeners',
  'removeAllListeners',
  'removeListener',
  'send',
  'serverSideEmit',
  'serverSideEmitWithAck',
  'setMaxListeners',
  'use',
  'write',
  'set',
  'get',
  'configure',
  'origins',
  'authorization',
]) {
  Server.prototype[method] = function delegated(...args) {
    const result = this.sockets[method](...args);
    return result === this.sockets ? this : result;
  };
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether clients can come to it
 */
function isHttpServer(value) {
  return (
    value instanceof http.Server ||
    value instanceof https.Server ||
    // The classes of http2 are not public.
    /^Http2(Secure)?Server$/.test(value?.constructor?.name)
  );
}

/**
 * @returns {Error} what Node's http.Server says when it is closed and does not listen
 */
function notRunning() {
  return Object.assign(new Error('Server is not running.'), { code: 'ERR_SERVER_NOT_RUNNING' });
}

/**
 * @param {unknown} value any value
 * @returns {number | undefined} the port it is, if it is one
 */
function portOf(value) {
  const isPort = typeof value === 'number' || (typeof value === 'string' && /^\d+$/.test(value));
  return isPort ? Number(value) : undefined;
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it can only be options
 */
function isPlainObject(value) {
  return (
    typeof value === 'object' &&
    value !== null &&
    !isHttpServer(value) &&
    !value.on &&
    kindOf(value) === undefined
  );
}

/**
 * Answers a request for nothing the server has.
 *
 * @param {http.IncomingMessage} req the request
 * @param {http.ServerResponse} res its response
 * @returns {void}
 */
function notFound(req, res) {
  res.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' });
  res.end('Not found\n');
}

module.exports = Server;
