'use strict';

/**
 * Which connections of an http.Server are served by the front in Rust, without a request of theirs becoming
 * an object of Node: those that begin with a request for the Socket.IO server, as long as the application
 * looks at no request and changes none. All others go on to Node, and connections come back from Rust with
 * a request that is not for it.
 *
 * What must stay true: what the application does to requests (middleware, listeners, `allowRequest`, settings
 * of its http.Server) happens to every request; a change of that takes effect from the next request on.
 */

const diagnostics = require('diagnostics_channel');
const { EventEmitter } = require('events');
const http = require('http');
const net = require('net');
const { UnsupportedOptionError } = require('../errors');
const { Engine } = require('../socketio/engine');
const { isCompiled } = require('../socketio/trust-proxy');
const { frontCorsOf } = require('./cors');
const { counts } = require('./accepted-websockets');
const { descriptorOf, isPlain } = require('./descriptor');
const { originsOf } = require('./origins');
const { secureSocket } = require('./secure');

/** The longest head of a request that the front in Rust reads, in bytes. */
const LONGEST_HEAD = 8192;

/** The events of `io.engine` whose listeners see requests, or all packets. */
const ENGINE_EVENTS = new Set(['headers', 'initial_headers', 'connection']);

/** The events of an http.Server whose listeners see requests or connections. */
const SERVER_EVENTS = ['request', 'upgrade', 'connection'];

/** The name of Node's own listener for connections. */
const NODE_LISTENER = 'connectionListener';

/** Whether `maxConnections` of 0 admits nobody, as in Node 21 and later. Before, it is no limit. */
const ZERO_ADMITS_NOBODY = parseInt(process.versions.node, 10) >= 21;

/** Tells of requests that Node begins to serve: tools that trace requests subscribe to it. */
const requestStart = diagnostics.channel('http.server.request.start');

/** Tells of sockets that a server of Node has accepted. */
const serverSocket = diagnostics.channel('net.server.socket');

/**
 * An http.Server whose connections may be taken.
 *
 * @typedef {object} Attached
 * @property {http.Server} httpServer the server
 * @property {(socket: net.Socket) => void} passOn has Node serve a connection
 */

class Takeover {
  #front;
  /** @type {Map<http.Server, Attached>} */
  #attached = new Map();
  /** @type {object | undefined} the options that the native server has */
  #known;
  #cors;
  /** @type {WeakMap<http.Server, object>} what was seen of an http.Server the last time */
  #seen = new WeakMap();
  /** Whether the connection that Node is accepting is Node's for certain. */
  #isNodes = false;

  /**
   * @param {import('./front').HttpFront} front whose connections
   */
  constructor(front) {
    this.#front = front;
  }

  /**
   * Puts a listener in the place of Node's own listener for connections, which is called for those that are
   * Node's.
   *
   * @param {http.Server} httpServer where clients come
   * @returns {() => void} puts Node's listener back
   */
  attach(httpServer) {
    const tls = this.#front.options.tls?.context;
    const [listener, ...more] = httpServer.rawListeners('connection');
    const isPlain = httpServer instanceof http.Server && listener?.name === NODE_LISTENER;
    if (tls !== undefined && !isPlain) {
      throw new UnsupportedOptionError('tls', 'Give it with a port or a plain http.Server.');
    }
    if (!isPlain || (more.length > 0 && tls === undefined) || process.versions.bun !== undefined) {
      return () => {};
    }
    const passOn = listener.bind(httpServer);
    const accept = tls
      ? (socket) => this.#acceptSecure(socket)
      : (socket) => this.#accept(httpServer, passOn, socket);
    replace(httpServer, listener, accept);
    this.#attached.set(httpServer, { httpServer, passOn });
    const unwatch = this.#watch(httpServer);
    const intercept = () => this.#intercept(httpServer, tls !== undefined);
    httpServer.on('listening', intercept);
    if (httpServer.listening) {
      intercept();
    }
    const { closeAllConnections, closeIdleConnections } = httpServer;
    httpServer.closeAllConnections = () => {
      this.#front.native?.endAllHttp();
      Reflect.apply(closeAllConnections, httpServer, []);
    };
    // Node calls it when the server closes, too.
    httpServer.closeIdleConnections = () => {
      this.#front.native?.endIdleHttp();
      Reflect.apply(closeIdleConnections, httpServer, []);
    };
    this.update();
    return () => {
      unwatch();
      httpServer.off('listening', intercept);
      delete httpServer.closeAllConnections;
      delete httpServer.closeIdleConnections;
      replace(httpServer, accept, listener);
      this.#attached.delete(httpServer);
      this.#known = undefined;
    };
  }

  /**
   * Gives the native server the options anew, if they have changed.
   *
   * @returns {void}
   */
  update() {
    const { native } = this.#front;
    if (native === undefined || this.#attached.size === 0) {
      return;
    }
    const options = this.#options();
    const known = this.#known;
    if (known === undefined || Object.keys(options).some((name) => options[name] !== known[name])) {
      this.#known = options;
      native.configureFront(options);
    }
  }

  /**
   * A connection comes back from Rust.
   *
   * @param {net.Server | undefined} owner what had accepted it
   * @param {number} fd its descriptor
   * @param {Buffer} bytes what was read of it
   * @param {import('./secure').Secure | null} secure what is known of a client that came by TLS
   * @param {Buffer} [certificate] its certificate
   * @returns {void}
   */
  handedBack(owner, fd, bytes, secure, certificate) {
    const socket = secure === null ? plainSocket(fd, owner) : secureSocket(fd, secure, certificate);
    // What accepted it may have passed it to the http.Server as `@socket.io/sticky` does.
    const attached = this.#attached.get(owner) ?? this.#attached.values().next().value;
    if (attached === undefined) {
      socket.destroy();
      return;
    }
    socket.server = attached.httpServer;
    // A connection with TLS is counted until Rust has closed it.
    if (secure === null && owner !== undefined) {
      socket._server = owner;
      owner._connections += 1;
    }
    if (bytes.length > 0) {
      socket.unshift(bytes);
    }
    if (secure === null && serverSocket.hasSubscribers) {
      serverSocket.publish({ socket });
    }
    attached.passOn(socket);
  }

  /**
   * Whoever looks at requests or connections keeps them all in Node.
   *
   * @param {http.Server} httpServer an attached server
   * @returns {() => void} undoes it
   */
  #watch(httpServer) {
    const { engine } = this.#front;
    const changed = () => this.update();
    // Called before the listener is there.
    const added = (names) => (event) => {
      if (names.has(event)) {
        this.#front.native?.configureFront({ ...this.#options(), serves: false });
        this.#known = undefined;
        queueMicrotask(changed);
      }
    };
    const addedHere = added(new Set(SERVER_EVENTS));
    const addedThere = added(ENGINE_EVENTS);
    httpServer.on('newListener', addedHere);
    engine.on('newListener', addedThere);
    engine.on('removeListener', changed);
    Engine.watch(engine, changed);
    return () => {
      httpServer.off('newListener', addedHere);
      engine.off('newListener', addedThere);
      engine.off('removeListener', changed);
      Engine.watch(engine, undefined);
    };
  }

  /**
   * @returns {import('../../binding').FrontOptions} what the native server is told
   */
  #options() {
    const front = this.#front;
    const { engine, options } = front;
    const servers = [...this.#attached.keys()];
    const cors = this.#corsOf(options.cors);
    const least = (name) => Math.min(...servers.map((server) => server[name] || Infinity));
    const keepAlive = least('keepAliveTimeout');
    const request = least('requestTimeout');
    return {
      serves:
        !front.isClosing &&
        options.allowRequest === undefined &&
        !originsOf(options.allowedOrigins).asks &&
        options.cookie?.encode === undefined &&
        (options.trustProxy === undefined || isCompiled(options.trustProxy)) &&
        cors !== null &&
        !Engine.hasOwnIds(engine) &&
        engine.middlewares.every((middleware) => middleware === front.cors) &&
        engine.listenerCount('initial_headers') === 0 &&
        engine.listenerCount('headers') === 0 &&
        !requestStart.hasSubscribers &&
        servers.every(isUnseen),
      opens: !front.isDraining,
      watched: engine.listenerCount('connection') > 0,
      bundles: options.serveClient ? `${options.path}/` : undefined,
      cors: cors ?? undefined,
      keepAliveTimeout: keepAlive === Infinity ? 0 : keepAlive,
      requestTimeout: request === Infinity ? 0 : request,
    };
  }

  /**
   * @param {unknown} option the option `cors`
   * @returns {import('../../binding').FrontCors | null | undefined} the same for the native server, made once;
   *   `null` if the application is to be asked
   */
  #corsOf(option) {
    if (this.#cors?.option !== option) {
      this.#cors = { option, made: option === undefined ? undefined : frontCorsOf(option) };
    }
    return this.#cors?.made;
  }

  /**
   * A client has connected.
   *
   * @param {http.Server} httpServer where
   * @param {(socket: net.Socket) => void} passOn has Node serve it
   * @param {net.Socket} socket its socket, of which nothing was read
   * @returns {void}
   */
  #accept(httpServer, passOn, socket) {
    // Where others come back to is certain with one server only.
    const isKnown = socket._server === httpServer || this.#attached.size === 1;
    const mayTake = !this.#isNodes && isKnown && this.#serves(httpServer);
    const fd = mayTake ? descriptorOf(socket) : -1;
    this.#isNodes = false;
    const { accepted, takeHttp } = this.#front;
    if (fd < 0 || !takeHttp(fd, accepted.numberOf(socket))) {
      passOn(socket);
      return;
    }
    accepted.begin(socket);
    this.#front.taken();
    socket.destroy();
  }

  /**
   * A client has connected to a port with TLS.
   *
   * @param {net.Socket} socket its socket, of which nothing was read
   * @returns {void}
   */
  #acceptSecure(socket) {
    this.update();
    const { accepted, isClosing, native, options } = this.#front;
    const fd = isClosing ? -1 : descriptorOf(socket);
    if (fd >= 0 && native.takeTls(fd, accepted.numberOf(socket), options.tls.context)) {
      accepted.begin(socket);
      this.#front.taken();
    }
    socket.destroy();
  }

  /**
   * Takes connections before Node makes a socket of them.
   *
   * @param {http.Server} httpServer a server that has begun to listen
   * @param {boolean} isSecure whether clients use TLS
   * @returns {void}
   */
  #intercept(httpServer, isSecure) {
    const handle = httpServer._handle;
    const accept = handle?.onconnection;
    if (typeof accept !== 'function' || !counts(httpServer)) {
      return;
    }
    handle.onconnection = (status, client) => {
      const { maxConnections, _connections: open } = httpServer;
      const fd = status === 0 && isPlain(client) ? client.fd : -1;
      const mayOpen = !isFull(maxConnections, open) && !this.#front.isClosing;
      const isOurs = isSecure ? this.#attached.has(httpServer) : this.#serves(httpServer);
      if (fd >= 0 && mayOpen && isOurs) {
        const { accepted, native, options, taken, takeHttp } = this.#front;
        const owner = accepted.numberOn(httpServer);
        const isTaken = isSecure
          ? native.takeTls(fd, owner, options.tls.context)
          : takeHttp(fd, owner);
        if (isTaken) {
          accepted.beginOn(httpServer);
          taken();
          client.close();
          return;
        }
        this.#isNodes = true;
      }
      try {
        Reflect.apply(accept, handle, [status, client]);
      } finally {
        this.#isNodes = false;
      }
    };
  }

  /**
   * @param {http.Server} httpServer where a client has connected
   * @returns {boolean} whether the native server may have the connection
   */
  #serves(httpServer) {
    if (!this.#attached.has(httpServer)) {
      return false;
    }
    this.#look(httpServer);
    return this.#known?.serves ?? false;
  }

  /**
   * Looks again at what Node lets be changed without a word, for connections that the native server has taken
   * before. A session that one of them has opened costs more than this.
   *
   * @returns {void}
   */
  lookAgain() {
    for (const httpServer of this.#attached.keys()) {
      this.#look(httpServer);
    }
  }

  /**
   * Gives the native server the options anew, if something has changed that Node lets be changed without a word.
   *
   * @param {http.Server} httpServer an attached server
   * @returns {void}
   */
  #look(httpServer) {
    const { timeout, maxRequestsPerSocket, keepAliveTimeout, requestTimeout, emit } = httpServer;
    const { hasSubscribers } = requestStart;
    const seen = this.#seen.get(httpServer);
    if (
      this.#known === undefined ||
      seen === undefined ||
      seen.timeout !== timeout ||
      seen.maxRequestsPerSocket !== maxRequestsPerSocket ||
      seen.keepAliveTimeout !== keepAliveTimeout ||
      seen.requestTimeout !== requestTimeout ||
      seen.emit !== emit ||
      seen.hasSubscribers !== hasSubscribers
    ) {
      this.#seen.set(httpServer, {
        timeout,
        maxRequestsPerSocket,
        keepAliveTimeout,
        requestTimeout,
        emit,
        hasSubscribers,
      });
      this.update();
    }
  }
}

/**
 * @param {number | undefined | null} maxConnections what an http.Server has been told
 * @param {number} open how many connections it has
 * @returns {boolean} whether Node drops another one
 */
function isFull(maxConnections, open) {
  const isLimited = ZERO_ADMITS_NOBODY ? maxConnections != null : Boolean(maxConnections);
  return isLimited && open >= maxConnections;
}

/**
 * @param {number} fd the descriptor of a connection
 * @param {net.Server | undefined} owner what had accepted it
 * @returns {net.Socket} its socket, with the settings that the server gives to what it accepts
 */
function plainSocket(fd, owner) {
  const { highWaterMark, keepAlive, keepAliveInitialDelay, noDelay = true } = owner ?? {};
  const socket = new net.Socket({
    fd,
    readable: true,
    writable: true,
    allowHalfOpen: true,
    highWaterMark,
  });
  if (keepAlive) {
    socket.setKeepAlive(true, keepAliveInitialDelay * 1000);
  }
  if (!noDelay) {
    // Rust has switched it on.
    socket.setNoDelay(false);
  }
  return socket;
}

/**
 * @param {http.Server} httpServer an attached server
 * @returns {boolean} whether nobody else sees its requests, and it has no settings that only Node knows
 */
function isUnseen(httpServer) {
  const { timeout, maxRequestsPerSocket, maxHeaderSize } = httpServer;
  return (
    SERVER_EVENTS.every((event) => httpServer.listenerCount(event) <= 1) &&
    httpServer.emit === EventEmitter.prototype.emit &&
    !timeout &&
    !maxRequestsPerSocket &&
    !((maxHeaderSize ?? http.maxHeaderSize) < LONGEST_HEAD) &&
    hasClassesOfNode(httpServer)
  );
}

/**
 * @param {http.Server} httpServer a server
 * @returns {boolean} whether its requests and responses are of Node's classes
 */
function hasClassesOfNode(httpServer) {
  for (const symbol of Object.getOwnPropertySymbols(httpServer)) {
    const ofNode = http[symbol.description];
    if (/^(IncomingMessage|ServerResponse)$/.test(symbol.description)) {
      if (httpServer[symbol] !== ofNode) {
        return false;
      }
    }
  }
  return true;
}

/**
 * Replaces a listener for connections.
 *
 * @param {http.Server} httpServer whose
 * @param {Function} listener the one there is
 * @param {Function} other the one in its place
 * @returns {void}
 */
function replace(httpServer, listener, other) {
  const listeners = httpServer.rawListeners('connection');
  httpServer.removeAllListeners('connection');
  for (const one of listeners) {
    httpServer.on('connection', one === listener ? other : one);
  }
}

module.exports = { Takeover };
