'use strict';

/**
 * Socket.IO's `Server` over the native server, which does its work in Rust. Clients come by HTTP: see
 * `lib/http`, whose `Server` extends this one.
 */

const { EventEmitter } = require('events');
const http = require('http');
const https = require('https');
const { setImmediate } = require('timers');
const { NativeServer } = require('../native/binding');
const { makeAssignable } = require('./assignable');
const { BroadcastOperator, delegateOperators } = require('./broadcast-operator');
const { Connection } = require('./connection');
const { Drain } = require('./drain');
const { Engine, hasConnectionListeners } = require('./engine');
const { EventHandlers } = require('./event-handlers');
const {
  InvalidOptionError,
  InvalidServerError,
  UnsupportedApiError,
  UnsupportedOptionError,
} = require('../errors');
const { isLeftOut } = require('../auth/gated-namespaces');
const { refuse } = require('./unsupported');
const { guarded, guardedAsAsync } = require('../events');
const { assembler, parseBatch, dispatch } = require('../native/event-batch');
const { kindOf } = require('../host-kinds');
const { MAX_DELAY, checkOptions } = require('../check-options');
const { Encoder } = require('./adapters/encoder');
const { GracePeriod } = require('../subscriptions/grace-period');
const { NativeLink } = require('../native/link');
const { measureAnew, serverMetrics } = require('./metrics');
const { Recovery } = require('./recovery/recovery');
const { Namespaces } = require('./namespaces');
const { ADAPTER, serverOptions } = require('./options');
const { tlsOptions } = require('./tls-options');
const { CommandWriter } = require('../native/command-writer');

const SERVE = Symbol.for('loopback-socket.serve');
const SERVER_ON = Symbol.for('loopback-socket.server-on');

/** @type {WeakMap<import('net').Server, Server>} the servers that `start(httpServer)` has made */
const serversOn = new WeakMap();

/** How long clients may take to answer that they have closed when the time of a drain is up, in ms; Rust waits for less. */
const CLOSE_GRACE = 1500;

/** The options of `close()`. */
const CLOSE_OPTIONS = {
  drain: {
    fallback: 0,
    check: (value) => Number.isInteger(value) && value >= 0 && value <= MAX_DELAY,
    needs: `a whole number of milliseconds from 0 to ${MAX_DELAY}`,
  },
};

/** Bun exports symbols of libuv, but calling most of them ends the process. */
const HAS_LIBUV = process.versions.bun === undefined;

/**
 * What takes the events of a native server.
 *
 * @typedef {object} Receiver
 * @property {EventHandlers} handlers handle them
 * @property {ReturnType<typeof assembler>} assemble puts payloads and attachments together
 * @property {NativeServer} native the native server
 * @property {CommandWriter} commands sends it commands
 * @property {() => void} processed tells it that a batch has been handled
 */

class Server extends EventEmitter {
  /** The native server and what is sent to it, shared with everything that this server owns. */
  _link = new NativeLink();
  /** Takes the requests of clients; see `lib/http/front.js`. */
  _front;
  /** @type {Map<number, Connection>} by number */
  _connections = new Map();
  /** @type {Map<number, import('./socket').Socket>} by number */
  _sockets = new Map();
  /** The http.Server that clients come to. */
  httpServer;
  #given;
  #connectionOwner;
  #namespaces;
  /** @type {NodeJS.Timeout | undefined} refers to this server while there are clients: nothing else may */
  #alive;
  #closed;
  #finish;
  /** @type {(() => void) | undefined} called when no websocket is open, while the server closes */
  #allReleased;
  /** @type {Drain | undefined} the drain before the server closes */
  #drain;
  /** @type {Promise<Error | undefined> | undefined} resolved when the http.Server is closed */
  #httpClosed;
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
    /** Encodes what adapters broadcast; the name is that of Socket.IO. */
    this.encoder = new Encoder(this._link);
    /** Engine.IO's part: middleware and events of all connections. */
    this.engine = new Engine(
      () => this._connections.size - this.#connectionOwner.lostConnections,
      () => {
        for (const connection of this._connections.values()) {
          connection.isClosing = true;
        }
        this._link.native?.closeConnections();
      },
    );
    this.engine.opts = this._options;
    this._front = this._createFront({
      link: this._link,
      engine: this.engine,
      options: () => this._options,
      opened: (...opened) => this.#opened(...opened),
      taken: () => this.#stayAlive(),
    });
    this.#namespaces = new Namespaces({
      server: this,
      link: this._link,
      sockets: this._sockets,
      options: () => this._options,
    });
    /** Namespaces by name, as Socket.IO's own packages read them. */
    this._nsps = this.#namespaces.byName;
    this.#connectionOwner = {
      server: this,
      link: this._link,
      front: this._front,
      namespaces: this._nsps,
      lostConnections: 0,
    };
    /** The default namespace. */
    this.sockets = this.of('/');
    if (where !== undefined && where !== null && !isOptions) {
      this.attach(where);
    }
  }

  /**
   * @abstract
   * @param {object} parts what the front needs of the server; see `lib/http/front.js`
   * @returns {object} where clients come
   */
  // eslint-disable-next-line no-unused-vars -- for those who extend this class
  _createFront(parts) {
    throw new TypeError('A Server needs a front: use the Server of lib/http.');
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
    if ((this._link.isClosing || this._link.isDraining) && this._link.native !== undefined) {
      throw new InvalidServerError(where, true);
    }
    if (options !== undefined) {
      this.#given = { ...this.#given, ...options };
      this._options = serverOptions(this.#given);
      this.engine.opts = this._options;
    }
    const { tls } = this._options;
    if (port === undefined && tls !== undefined && !canDecrypt(where, tls)) {
      throw new UnsupportedOptionError('tls', 'Give it with a port or a plain http.Server.');
    }
    this.httpServer = port === undefined ? where : serverOf(tls);
    this.#begin();
    this._front.attach(this.httpServer);
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
   * Has clients that connect from now on get another certificate, such as a renewed one.
   *
   * @param {import('./tls-options').TlsOptions} tls the whole option `tls`
   * @returns {void}
   * @throws {InvalidOptionError} if it is impossible
   * @throws {UnsupportedApiError} if the server has no option `tls`
   */
  setSecureContext(tls) {
    if (this._options.tls === undefined) {
      throw new UnsupportedApiError(
        'setSecureContext() without the option `tls`',
        'that option, or the method of your https.Server',
      );
    }
    this._options.tls = tlsOptions(tls);
    this.#given = { ...this.#given, tls };
    if (this.httpServer instanceof https.Server) {
      this.httpServer.setSecureContext(tls);
    }
  }

  /**
   * A namespace, made on first use. A regular expression, or a function `(name, auth, next)` that
   * calls `next(null, whether)`, gives a parent: its namespaces are made when clients ask for them.
   *
   * @param {string | RegExp | Function} name its name; a slash in front may be left out
   * @param {(socket: import('./socket').Socket) => void} [onConnect] a listener for its sockets
   * @returns {import('./namespace').Namespace} the namespace
   */
  of(name, onConnect) {
    const isPattern = typeof name === 'function' || name instanceof RegExp;
    const namespace = isPattern
      ? this.#namespaces.addParent(name)
      : this.#namespaces.get(String(name));
    if (onConnect) {
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
      if (namespace !== this.sockets && !isLeftOut(namespace.name, options.open)) {
        namespace._gate();
      }
    }
  }

  /**
   * The server of an http.Server that a LoopbackSocket was started on: made on first use, and again after
   * it was closed.
   *
   * @param {import('net').Server} listener the http.Server
   * @returns {Server} the server
   */
  static [SERVER_ON](listener) {
    const known = serversOn.get(listener);
    if (known !== undefined && !known._link.isClosing) {
      return known;
    }
    const made = new this(listener);
    serversOn.set(listener, made);
    return made;
  }

  /**
   * The same as `engine`, by the name that code for older versions of Socket.IO knows.
   *
   * @returns {Engine} the engine
   */
  get eio() {
    return this.engine;
  }

  /**
   * The options in force, as adapters read them.
   *
   * @returns {import('./options').ServerOptions} all of them
   */
  get opts() {
    return this._options;
  }

  /**
   * The class of the adapters that new namespaces get, or another one for all namespaces.
   *
   * @param {Function} [adapterClass] a class, or what `createAdapter()` of an adapter's package gives; each
   *   namespace makes an adapter of it with `new`
   * @returns {this | Function | undefined} the server; without an argument the class, `undefined` while rooms
   *   are in Rust
   * @throws {InvalidOptionError} if it is no class
   */
  adapter(adapterClass) {
    if (adapterClass === undefined) {
      return this.#namespaces.adapterClass();
    }
    if (typeof adapterClass !== 'function') {
      throw new InvalidOptionError('adapter', adapterClass, ADAPTER);
    }
    this.#namespaces.useAdapters(adapterClass);
    return this;
  }

  /**
   * The figures of the server: connections, sockets, calls, what is queued and what was dropped. Calls are
   * measured from the first time on.
   *
   * @returns {object} see `docs/metrics.md`
   */
  metrics() {
    return serverMetrics(this._link);
  }

  /**
   * Emits an event to every socket of the default namespace that has authenticated.
   *
   * @param {string} event its name
   * @param {...unknown} args its arguments
   * @returns {boolean} true
   */
  emit(event, ...args) {
    return this.sockets.emit(event, ...args);
  }

  /**
   * Ends every socket, the http.Server and all that keeps the process alive. Closing twice is harmless; a
   * closed server may be attached again.
   *
   * With `drain`, nothing new is accepted from now on, and each connection ends as soon as its calls and
   * attempts to authenticate are done, after `drain` ms at the latest. Closing without `drain` meanwhile ends
   * all at once.
   *
   * @param {{drain?: number} | ((error?: Error) => void)} [options] how; or `done`
   * @param {(error?: Error) => void} [done] called when all is closed, with the http.Server's error
   *   if it was not listening, or not any more
   * @returns {Promise<void>} the same as a promise, never rejected
   * @throws {InvalidOptionError} if an option is unknown or impossible
   */
  close(options, done) {
    if (typeof options === 'function') {
      return this.#closeAfter(0, options);
    }
    const { drain } = checkOptions(
      CLOSE_OPTIONS,
      options ?? undefined,
      'close()',
      'the first argument of close()',
    );
    return this.#closeAfter(drain, done);
  }

  /**
   * @param {number} ms how long the drain may take
   * @param {unknown} done see `close()`
   * @returns {Promise<void>} when all is closed
   */
  async #closeAfter(ms, done) {
    const { native } = this._link;
    const isFirst = !this._link.isClosing && this.#drain === undefined;
    if (!this._link.isClosing && native !== undefined) {
      if (ms === 0) {
        this.#drain?.stop();
      } else if (this.#drain === undefined) {
        this.#beginDrain(ms);
      } else {
        this.#drain.limit(ms);
      }
      if (ms > 0) {
        await this.#drain.ended;
      }
    }
    const error = await this.#closeNow();
    if (typeof done === 'function') {
      process.nextTick(done, isFirst ? error : notRunning());
    }
  }

  /**
   * @param {number} ms how long the drain may take
   * @returns {void}
   */
  #beginDrain(ms) {
    const { _link: link, _connections: connections } = this;
    link.isDraining = true;
    link.native.limitClosing(ms);
    this._front.leave();
    this.#drain = new Drain({ link, connections, unused: () => this.#closeHttp() }, ms);
  }

  /**
   * @returns {Promise<Error | undefined>} when all is closed, once for all who close
   */
  #closeNow() {
    if (!this._link.isClosing) {
      this._link.isClosing = true;
      // Set before anything is closed: a listener of a socket that ends may call `close()` again.
      let closed;
      this.#closed = new Promise((resolve) => {
        closed = resolve;
      });
      closed(this.#close());
    }
    return this.#closed;
  }

  /**
   * Has the http.Server accept no more connections.
   *
   * @returns {Promise<Error | undefined>} when it is closed
   */
  #closeHttp() {
    this.#httpClosed ??= new Promise((resolve) => {
      this.httpServer.close(resolve);
    });
    return this.#httpClosed;
  }

  /**
   * @returns {Promise<Error | undefined>} when all is closed
   */
  async #close() {
    const { native, commands } = this._link;
    if (native === undefined) {
      return undefined;
    }
    const connectionsEnded = new Promise((resolve) => {
      this.#finish = resolve;
    });
    // The http.Server waits for its own websockets only. The end of any other one is not reported after `release()`.
    const websocketsClosed = new Promise((resolve) => {
      this.#allReleased = resolve;
    });
    // Not before a handler of a request that closes the server has responded: Node ends connections that are idle now,
    // and waits for the others.
    const httpClosed = Promise.resolve().then(() => this.#closeHttp());
    const late = this.#drain && setTimeout(() => this.#endRequests(), this.#timeLeft());
    for (const socket of [...this._sockets.values()]) {
      guarded(() => socket._end('server shutting down'));
    }
    GracePeriod.endAll(this._link.gracePeriods);
    commands.flush();
    this._front.leave();
    native.close();
    native.endHttp();
    if (this._connections.size === 0) {
      this.#finish();
    }
    if (this._front.openWebsockets === 0) {
      this.#allReleased();
    }
    const adaptersClosed = this.#namespaces.closeAdapters(this.#drain && this.#timeLeft());
    const [error] = await Promise.all([
      httpClosed,
      connectionsEnded,
      websocketsClosed,
      adaptersClosed,
    ]);
    this.#allReleased = undefined;
    clearTimeout(late);
    this.#drain = undefined;
    this.#httpClosed = undefined;
    this._link.isDraining = false;
    this._front.detach();
    native.release();
    this._link.end();
    return error;
  }

  /**
   * @returns {number} ms that are left of the drain, and then for clients to answer that they have closed
   */
  #timeLeft() {
    const left = Math.max(0, this.#drain.endsAt - performance.now());
    return Math.min(left + CLOSE_GRACE, MAX_DELAY);
  }

  /**
   * Ends the requests that are still under way when the time of a drain is up, such as responses that a
   * client does not read.
   *
   * @returns {void}
   */
  #endRequests() {
    // Servers of HTTP/2 have no such method.
    this.httpServer.closeAllConnections?.();
  }

  /**
   * Makes the native server, unless there is one.
   *
   * @returns {void}
   */
  #begin() {
    if (this._link.native !== undefined) {
      return;
    }
    this._link.isClosing = false;
    const handlers = new EventHandlers({
      link: this._link,
      connections: this._connections,
      sockets: this._sockets,
      namespaces: this.#namespaces,
      front: this._front,
      connectionClosed: (number, code, more) => this.#connectionClosed(number, code, more),
      websocketClosed: (owner) => this.#websocketClosed(owner),
    });
    const receiver = { handlers, assemble: assembler(this._options.parser) };
    const { connectionStateRecovery, perMessageDeflate, ...options } = this._options;
    if (this._link.recovery?.options !== connectionStateRecovery) {
      this._link.recovery = connectionStateRecovery && new Recovery(connectionStateRecovery);
    }
    if (perMessageDeflate) {
      options.perMessageDeflate = perMessageDeflate;
    }
    const native = new NativeServer(options, receiveFor(new WeakRef(receiver)), HAS_LIBUV);
    const commands = new CommandWriter(native, this._options.parser);
    Object.assign(receiver, { native, commands, processed: native.processed });
    this._link.begin(native, commands, receiver);
    measureAnew(this._link);
    this.#namespaces.begin();
  }

  /**
   * A connection is open on the native server: the process lives as long as one does.
   *
   * @param {number} number its number
   * @param {string} id the id of its session
   * @param {import('./connection').Opening} opening what opened it
   * @returns {Connection} the connection
   */
  #opened(number, id, opening) {
    this.#stayAlive();
    const connection = new Connection(this.#connectionOwner, id, opening);
    this._connections.set(number, connection);
    if (hasConnectionListeners(this.engine)) {
      connection.isWatched = true;
      guardedAsAsync(() => this.engine.emit('connection', connection.conn));
      connection.watch();
    }
    return connection;
  }

  /**
   * Keeps the process, and this server, alive while clients are connected.
   *
   * @returns {void}
   */
  #stayAlive() {
    this.#alive ??= setInterval(() => {}, MAX_DELAY, this);
  }

  /**
   * Lets the process end when no connection and no websocket is left.
   *
   * @returns {void}
   */
  #restIfEmpty() {
    if (this._connections.size === 0 && this._front.openWebsockets === 0) {
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
  #websocketClosed(owner) {
    guarded(() => this._front.released(owner));
    this.#restIfEmpty();
    if (this._front.openWebsockets === 0) {
      this.#allReleased?.();
    }
  }

  /**
   * A connection has ended, after its sockets did.
   *
   * @param {number} number its number
   * @param {number} code the `CloseReason`
   * @param {unknown} more what there is to say of it besides
   * @returns {void}
   */
  #connectionClosed(number, code, more) {
    const connection = this._connections.get(number);
    this._connections.delete(number);
    this.#restIfEmpty();
    if (this._connections.size === 0 && this._link.isClosing) {
      this.#finish?.();
    }
    if (connection !== undefined) {
      this._front.connectionEnded(connection.sid);
      connection.close(code, more);
    }
  }
}

// Socket.IO lets these settings be changed later. Here they are options, and can only be read.
for (const option of ['path', 'serveClient', 'connectTimeout']) {
  Server.prototype[option] = function setting(...value) {
    if (value.length > 0 && value[0] !== undefined) {
      throw new UnsupportedApiError(`${option}(value)`, `the option \`${option}\``);
    }
    return this._options[option];
  };
}

makeAssignable(Server.prototype, ['eio', 'opts']);

refuse(Server.prototype, {
  'attachApp(app)': 'attach(httpServer)',
  'bind(engine)': 'attach(httpServer)',
});

// As in Socket.IO, calls on the server are calls on its default namespace.
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
 * The function that a native server calls with its events, and refers to for as long as it lives. So the function
 * must not keep that server alive; a `Server` that is in use does.
 *
 * @param {WeakRef<Receiver>} reference the receiver, to which the `Server` refers
 * @returns {ConstructorParameters<typeof NativeServer>[1]} the function
 */
function receiveFor(reference) {
  return (batch, attachments, more, isAwaited) => {
    const receiver = reference.deref();
    if (receiver === undefined) {
      // There is no client any more, nor anybody who could learn of one.
      return;
    }
    const { handlers, assemble, native, commands, processed } = receiver;
    const values = parseBatch(batch, () => native.records(), handlers.malformed);
    commands.gather();
    try {
      dispatch(handlers, values, attachments, assemble);
    } finally {
      try {
        // The handlers that are done have answered: no need to wait for another tick.
        commands.flush();
      } finally {
        if (isAwaited) {
          processed();
        }
        if (more) {
          setImmediate(() => native.resume());
        }
      }
    }
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
 * @returns {Error} the error of Node's http.Server when it is closed without listening
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
 * @param {unknown} httpServer a server
 * @param {import('./tls-options').Tls} tls the option `tls`
 * @returns {boolean} whether its clients can come by TLS that Rust decrypts
 */
function canDecrypt(httpServer, tls) {
  return tls.context !== undefined && httpServer instanceof http.Server;
}

/**
 * @param {import('./tls-options').Tls} [tls] the option `tls`
 * @returns {http.Server} a server for clients that come to a port. What is encrypted is decrypted by Rust where
 *   it can, before Node reads it
 */
function serverOf(tls) {
  return tls !== undefined && tls.context === undefined
    ? https.createServer(tls.given, notFound)
    : http.createServer(notFound);
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
