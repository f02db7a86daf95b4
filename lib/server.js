'use strict';

/**
 * The native server's JavaScript face: Socket.IO's `Server`, whose work Rust does.
 */

const { EventEmitter } = require('events');
const http = require('http');
const { NativeServer } = require('../binding');
const { attach, respond } = require('./attach');
const { InvalidServerError } = require('./errors');
const { parseBatch, dispatch } = require('./inbox');
const { Namespace } = require('./namespace');
const { serverOptions } = require('./options');
const { Output } = require('./output');
const { Socket } = require('./socket');
const serving = require('./serving');

/** Why a socket ended, in Socket.IO's words, by the native server's code. */
const REASONS = [
  ['client namespace disconnect'],
  ['server namespace disconnect'],
  ['transport close'],
  ['transport error'],
  ['ping timeout'],
  ['parse error'],
  ['server shutting down'],
  [
    'transport error',
    { message: 'The client did not read what was sent: maxBackpressure was exceeded.' },
  ],
];

/** The longest delay of a timer, in ms: that of the one that keeps the process alive. */
const LONGEST = 2 ** 31 - 1;

/**
 * A connection and its sockets.
 */
class Connection {
  /**
   * @param {http.IncomingMessage} request what opened it
   * @param {string} [address] the client's address
   */
  constructor(request, address) {
    this.request = request;
    this.address = address;
    this.issued = Date.now();
    /** @type {Set<Socket>} */
    this.sockets = new Set();
  }

  /**
   * Has broadcasts pass by, or reach, each socket as it should now be: a pending one hears none,
   * and neither do the client's sockets in the namespaces that existed when the whole server
   * began to be served.
   *
   * @returns {void}
   */
  updateHolds() {
    let isPending = false;
    for (const socket of this.sockets) {
      isPending ||= socket.nsp.name === '/' && socket._isPending;
    }
    for (const socket of this.sockets) {
      socket._hold(socket._isPending || (isPending && socket.nsp._isGated));
    }
  }
}

class Server extends EventEmitter {
  #sockets = new Map();
  #connections = new Map();
  #namespaces = new Map();
  #lastConnection = 0;
  #lastRequest = 0;
  #alive;
  #closed;
  #finish;

  /**
   * @param {http.Server | number} httpServer where clients come; a port makes an http.Server that
   *   listens on it
   * @param {import('./options').ServerOptions} [options] see there
   * @throws {InvalidServerError} if it is neither
   * @throws {InvalidOptionError} if an option is unknown or impossible
   */
  constructor(httpServer, options) {
    super();
    this._options = serverOptions(options);
    const isPort = typeof httpServer === 'number';
    if (!isPort && !isHttpServer(httpServer)) {
      throw new InvalidServerError(httpServer);
    }
    /** The http.Server that clients come to. */
    this.httpServer = isPort ? http.createServer(notFound) : httpServer;
    this._isClosing = false;
    /** @type {Map<number, http.ServerResponse>} requests of long polling under way */
    this._responses = new Map();
    const { path, serveClient, ...native } = this._options;
    this._native = new NativeServer(native, (batch, attachments, more) =>
      this.#receive(batch, attachments, more),
    );
    this._output = new Output(this._native);
    /** The default namespace. */
    this.sockets = this.of('/');
    attach(this, this.httpServer);
    if (isPort) {
      this.httpServer.listen(httpServer);
    }
  }

  /**
   * A namespace, made on first use.
   *
   * @param {string} name its name; a slash in front may be left out
   * @returns {Namespace} the namespace
   */
  of(name) {
    const full = String(name).startsWith('/') ? String(name) : `/${name}`;
    let namespace = this.#namespaces.get(full);
    if (namespace === undefined) {
      namespace = new Namespace(this, full, this._native.namespace(full));
      this.#namespaces.set(full, namespace);
    }
    return namespace;
  }

  /**
   * Has a LoopbackSocket serve the default namespace.
   *
   * @param {import('./loopback-socket')} instance the LoopbackSocket
   * @returns {void}
   */
  [Symbol.for('loopback-socket.serve')](instance) {
    this.sockets[Symbol.for('loopback-socket.serve')](instance);
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
   * The sockets of a room of the default namespace.
   *
   * @param {string | string[]} room the room, or several
   * @returns {import('./broadcast').BroadcastOperator} to emit with
   */
  to(room) {
    return this.sockets.to(room);
  }

  /**
   * The same as `to`.
   *
   * @param {string | string[]} room the room, or several
   * @returns {import('./broadcast').BroadcastOperator} to emit with
   */
  in(room) {
    return this.sockets.to(room);
  }

  /**
   * All sockets of the default namespace but those of a room.
   *
   * @param {string | string[]} room the room, or several
   * @returns {import('./broadcast').BroadcastOperator} to emit with
   */
  except(room) {
    return this.sockets.except(room);
  }

  /**
   * Ends every socket, the http.Server and all that keeps the process alive. Closing twice is
   * harmless.
   *
   * @param {(error?: Error) => void} [done] called when all is closed, with the http.Server's error
   *   if it was not listening
   * @returns {Promise<void>} the same as a promise, never rejected
   */
  close(done) {
    if (!this._isClosing) {
      this._isClosing = true;
      // There before anything is closed: a listener of a socket that ends may call this again.
      let closed;
      this.#closed = new Promise((resolve) => {
        closed = resolve;
      });
      closed(this.#close());
    }
    const closed = this.#closed;
    this.#closed = closed.then(() => undefined);
    return closed.then((error) => {
      if (typeof done === 'function') {
        process.nextTick(done, error);
      }
    });
  }

  /**
   * @returns {Promise<Error | undefined>} when all is closed
   */
  async #close() {
    const connectionsEnded = new Promise((resolve) => {
      this.#finish = resolve;
    });
    const httpClosed = new Promise((resolve) => {
      this.httpServer.close(resolve);
    });
    for (const { socket } of [...this.#sockets.values()]) {
      guarded(() => socket._end('server shutting down'));
    }
    this._output.flush();
    this._native.close();
    if (this.#connections.size === 0) {
      this.#finish();
    }
    const [error] = await Promise.all([httpClosed, connectionsEnded]);
    this._native.release();
    return error;
  }

  /**
   * @returns {number} a number for a connection that a request may open
   */
  _nextConnection() {
    this.#lastConnection = (this.#lastConnection + 1) >>> 0;
    return this.#lastConnection;
  }

  /**
   * @returns {number} a number for a request of long polling
   */
  _nextRequest() {
    this.#lastRequest = (this.#lastRequest + 1) >>> 0;
    return this.#lastRequest;
  }

  /**
   * A connection is open on the native server: the process lives as long as one does.
   *
   * @param {number} number its number
   * @param {http.IncomingMessage} request what opened it
   * @param {string} [address] the client's address
   * @returns {void}
   */
  _opened(number, request, address) {
    this.#alive ??= setInterval(() => {}, LONGEST);
    this.#connections.set(number, new Connection(request, address));
  }

  /**
   * A socket has ended on this side.
   *
   * @param {Socket} socket the socket
   * @param {number} number its number
   * @returns {void}
   */
  _forget(socket, number) {
    this.#sockets.delete(number);
    socket.nsp.sockets.delete(socket.id);
    socket._connection.sockets.delete(socket);
    socket._connection.updateHolds();
  }

  /**
   * Marks the namespaces there are: a LoopbackSocket begins to serve the whole server.
   *
   * @returns {void}
   */
  _gateNamespaces() {
    for (const namespace of this.#namespaces.values()) {
      namespace._isGated = true;
    }
  }

  /**
   * Takes a batch of what happened.
   *
   * @param {string} batch the batch
   * @param {Buffer[] | undefined} attachments its binary values
   * @param {boolean} more whether to come back for more when the event loop has gone round
   * @returns {void}
   */
  #receive(batch, attachments, more) {
    const { malformed } = this.#receiver;
    dispatch(
      this.#receiver,
      parseBatch(batch, () => this._native.records(), malformed),
      attachments,
    );
    if (more) {
      setImmediate(() => this._native.resume());
    }
  }

  /** What each kind of record does; a socket may have ended meanwhile. */
  #receiver = {
    event: (number, payload, call, run) => {
      this.#sockets.get(number)?.socket._event(payload, call, run);
    },

    call: (number, payload, call, run) => {
      this.#sockets.get(number)?.socket._call(payload, call, run);
    },

    authenticate: (number, payload, index, attempt) => {
      const entry = this.#sockets.get(number);
      if (entry !== undefined) {
        serving.attempt(entry.socket, number, entry.instances[index], index, attempt, payload[1]);
      }
    },

    connect: (number, connectionNumber, request) => {
      const connection = this.#connections.get(connectionNumber);
      const namespace = this.#namespaces.get(request.nsp);
      if (connection === undefined || namespace === undefined || this._isClosing) {
        return;
      }
      const socket = new Socket(namespace, number, connection, request);
      const instances = namespace._instances.slice();
      this.#sockets.set(number, { socket, instances });
      connection.sockets.add(socket);
      namespace.sockets.set(socket.id, socket);
      serving.serve(socket, number, instances);
      connection.updateHolds();
      this._output.accept(number);
      namespace._announce(socket);
    },

    disconnect: (number, reason) => {
      this.#sockets.get(number)?.socket._end(...REASONS[reason]);
    },

    acknowledged: (number, ack, args) => {
      this.#sockets.get(number)?.socket._acknowledged(ack, args);
    },

    closed: (number) => {
      this.#connections.delete(number);
      if (this.#connections.size === 0) {
        clearInterval(this.#alive);
        this.#alive = undefined;
        this.#finish?.();
      }
    },

    response: (number, status, isBinary, body) => {
      const res = this._responses.get(number);
      if (res !== undefined) {
        this._responses.delete(number);
        if (this._isClosing) {
          // Kept alive, it would keep the http.Server from closing for some seconds more.
          res.setHeader('Connection', 'close');
        }
        const type = isBinary ? 'application/octet-stream' : 'text/plain; charset=UTF-8';
        respond(res, status, type, body);
      }
    },

    malformed: (number) => {
      if (this.#sockets.has(number)) {
        this._output.malformed(number);
      }
    },
  };
}

// As in Socket.IO, the server's own events are those of its default namespace.
for (const method of [
  'addListener',
  'eventNames',
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
]) {
  Server.prototype[method] = function delegated(...args) {
    const result = this.sockets[method](...args);
    return result === this.sockets ? this : result;
  };
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is an http.Server or behaves like one
 */
function isHttpServer(value) {
  return value instanceof http.Server;
}

/**
 * Answers a request for nothing the server has.
 *
 * @param {http.IncomingMessage} req the request
 * @param {http.ServerResponse} res its response
 * @returns {void}
 */
function notFound(req, res) {
  respond(res, 404, 'text/plain; charset=utf-8', 'Not found\n');
}

/**
 * Runs listeners of the application; what they throw reaches the process, not the caller.
 *
 * @param {() => void} run runs them
 * @returns {void}
 */
function guarded(run) {
  try {
    run();
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}

module.exports = Server;
