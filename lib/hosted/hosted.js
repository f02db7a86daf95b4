'use strict';

/**
 * Serves the sockets of an npm `socket.io` server, version 2 to 4, or of an emitter that looks like
 * one. The server owns sockets and values; what happens to a socket is decided by its native
 * `Session`, which this file asks and obeys.
 *
 * What must stay true: nothing that a handler or a client does throws into the server; a socket
 * that is gone holds no timer and no handler.
 */

const { Session } = require('../native/binding');
const { authenticate } = require('../auth/authenticate');
const { disconnect, exclude } = require('../auth/exclude');
const { clearExpires, expiresOf, setExpires } = require('../auth/expiry');
const { EMIT_OWN } = require('../auth/own-events');
const { AuthenticationLimits } = require('../auth/limits');
const { BroadcastGate } = require('./broadcast-gate');
const { corkFlushes } = require('./cork');
const { TooManyPendingError } = require('../errors');
const { EMITTER_EVENTS, guarded } = require('../events');
const { answer, invoke } = require('../calls/invoke');
const { runCall } = require('../calls/run-call');
const { encodable } = require('./encodable');
const { emitDirectly, recoveredOf, rememberBound } = require('./recovery');
const { HostedEngine, send } = require('./subscription-engine');
const { sizeOf } = require('../subscriptions/item-size');
const { SocketOwner } = require('../subscriptions/socket-owner');
const { delayOf } = require('../auth/timeout');

/** Where a socket keeps what its `auth` is. */
const STANDING = Symbol('loopback-socket.auth');

/** `socket.auth`: setting it to true exempts the socket from authentication. */
const AUTH = {
  configurable: true,
  enumerable: true,
  get() {
    return this[STANDING];
  },
  set(value) {
    this[STANDING] = value;
    if (value) {
      hostedSockets.get(this)?.exempt();
    }
  },
};

/** `socket.expires`: until when the client is authenticated. */
const EXPIRES = {
  configurable: true,
  enumerable: true,
  get() {
    return expiresOf(this);
  },
  set(value) {
    if (hostedSockets.has(this)) {
      setExpires(this, value);
    }
  },
};

/** @type {WeakMap<object, Set<HostedSocket>>} the authenticated sockets of each instance */
const authenticatedSockets = new WeakMap();

/** @type {WeakSet<Function>} the listeners of control events, which are no listeners of the application */
const controlListeners = new WeakSet();

/** Handlers run in a microtask, after all listeners of the event that caused them. */
const resolved = Promise.resolve();

/**
 * What is started on one `io`.
 *
 * @typedef {object} Hosting
 * @property {Set<import('../loopback-socket')>} instances those that serve it
 * @property {BroadcastGate} gate its gate
 */

/** @type {WeakMap<object, Hosting>} by `io` */
const hostings = new WeakMap();

/** @type {WeakMap<object, HostedSocket>} the live ones, by the server's socket */
const hostedSockets = new WeakMap();

/** @type {WeakMap<object, HostedEngine>} what brings subscribers their items, by namespace */
const engines = new WeakMap();

/** What engines report of subscribers. */
const REPORTS = {
  ended: (socket, number, how) => hostedSockets.get(socket)?.subscriptions?.ended(number, how),
  credit: (socket, number, count) =>
    hostedSockets.get(socket)?.subscriptions?.credit(number, count),
};

/**
 * Serves the sockets that connect to `io` from now on. Once per instance and `io`, however often it
 * is called.
 *
 * @param {object} io a Socket.IO server or namespace, or an emitter of `connection` events
 * @param {import('../loopback-socket')} loopbackSocket the instance
 * @param {import('../auth/start-options').StartOptions} options of `start()`
 * @returns {void}
 */
function serve(io, loopbackSocket, options) {
  let hosting = hostings.get(io);
  if (hosting === undefined) {
    hosting = { instances: new Set(), gate: new BroadcastGate(io) };
    hostings.set(io, hosting);
  }
  if (hosting.instances.has(loopbackSocket)) {
    return;
  }
  hosting.instances.add(loopbackSocket);
  const { gate } = hosting;
  gate.gateNamespaces(options.open);
  const limits = new AuthenticationLimits(options);
  const timeout = delayOf(loopbackSocket._timeout);
  loopbackSocket._definitions.addHost(authenticatedWith(loopbackSocket), entriesOf);
  io.on('connection', (socket) => {
    let hosted = hostedSockets.get(socket);
    if (hosted === undefined) {
      const { expires } = socket;
      watchAuth(socket);
      if (socket.connected === false) {
        // Disconnected by a listener before ours: its `disconnect` event is over.
        return;
      }
      hosted = new HostedSocket(socket, io);
      hostedSockets.set(socket, hosted);
      // Middleware of the application may have set it.
      guarded(() => setExpires(socket, expires ?? hosted.disconnected?.expires));
    }
    hosted.serve(loopbackSocket, timeout, gate, limits);
  });
}

/**
 * One LoopbackSocket on one socket.
 *
 * @typedef {object} Serving
 * @property {import('../loopback-socket')} loopbackSocket the instance
 * @property {number} index its number in the session
 * @property {AuthenticationLimits} limits those it was started with
 * @property {number} attempts to authenticate that failed or are under way
 * @property {() => void} settled called when the socket is pending no more
 * @property {NodeJS.Timeout | undefined} timer closes the connection of a socket that stays pending
 * @property {Map<string, Binding>} bindings its methods by name; one that was bound before and is
 *   not any more has no `method`
 * @property {{methods: Map<string, import('../auth/authenticate').BoundMethod>, credentials: unknown}}
 *   [onDemand] its methods that the socket listens to when they are first called
 * @property {import('../auth/authenticate').BoundMethods} [methods] those that were bound last
 * @property {unknown} credentials those that the client has authenticated with last
 */

/**
 * A method as a listener of the socket.
 *
 * @typedef {object} Binding
 * @property {Function} listener what the socket calls; the same one for as long as it lives
 * @property {import('../auth/authenticate').BoundMethod | undefined} method the method; `undefined` if it is
 *   bound no more
 * @property {unknown} credentials those it was bound with
 */

/**
 * A socket of the server, served by one or more LoopbackSockets. The host of their attempts, calls and
 * subscriptions.
 */
class HostedSocket extends SocketOwner {
  /** @type {Map<import('../loopback-socket'), Serving>} */
  #servings = new Map();
  /** @type {Serving[]} by their number */
  #byIndex = [];
  /** @type {Set<BroadcastGate>} */
  #gates = new Set();
  /** Whether it is pending no more: it has authenticated, or the application has exempted it. */
  #isTrusted = false;
  #ended = false;
  #io;
  /** @type {import('./recovery').RecoveredSocket | undefined} what it waits for, if its state was recovered */
  #recovered;

  /**
   * @param {object} socket the server's socket
   * @param {object} io what it has connected to
   */
  constructor(socket, io) {
    super();
    this.socket = socket;
    this.#io = io;
    this.session = new Session();
    this.encodable = needsEncodable(socket) ? encodable : identity;
    this.#recovered = recoveredOf(socket);
    if (socket.nsp?.server?.opts?.connectionStateRecovery) {
      const value = (...data) => emitDirectly(socket, data);
      Object.defineProperty(socket, EMIT_OWN, { configurable: true, value });
      rememberBound(socket, () => this.#bound());
    }
    socket.on('disconnect', () => this.#end());
    corkFlushes(socket.conn);
  }

  /** @returns {boolean} whether the socket is gone */
  get hasEnded() {
    return this.#ended;
  }

  /**
   * @returns {import('../auth/disconnected-sockets').DisconnectedSocket | undefined} what is remembered of its
   *   authentication, if its state was recovered
   */
  get disconnected() {
    return this.#recovered?.disconnected;
  }

  /** @returns {HostedEngine} what brings subscribers of the socket's namespace their items */
  get engine() {
    const namespace = this.socket.nsp ?? this.#io;
    let engine = engines.get(namespace);
    if (engine === undefined) {
      engine = new HostedEngine(REPORTS, this.encodable, namespace.server?.httpServer);
      engines.set(namespace, engine);
    }
    return engine;
  }

  /**
   * @param {import('../loopback-socket')} loopbackSocket an instance
   * @returns {unknown} the credentials that the client has authenticated with last
   */
  credentialsOf(loopbackSocket) {
    return this.#servings.get(loopbackSocket)?.credentials;
  }

  /**
   * @param {import('../loopback-socket')} loopbackSocket an instance
   * @returns {number} how many subscriptions the socket may have
   */
  maxSubscriptionsOf(loopbackSocket) {
    return this.#servings.get(loopbackSocket)?.limits.maxSubscriptions ?? 0;
  }

  /**
   * Sends the client an event.
   *
   * @param {string} event its name
   * @param {object} value what comes with it
   * @returns {void}
   * @throws {import('../errors').UnsendableValueError} if the value cannot be sent
   */
  send(event, value) {
    sizeOf(value);
    send(this.socket, [event, this.encodable(value, '')]);
  }

  /**
   * @param {string} name an event
   * @returns {boolean} whether the application has added a listener for it
   */
  isListenedTo(name) {
    const { socket } = this;
    return (
      typeof socket.listeners === 'function' &&
      socket.listeners(name).some((listener) => !controlListeners.has(listener))
    );
  }

  /**
   * A LoopbackSocket begins to serve the socket.
   *
   * @param {import('../loopback-socket')} loopbackSocket the instance
   * @param {number | null} timeout how long the socket may stay pending; `null` for ever
   * @param {BroadcastGate} gate the gate of the `io` it is started on
   * @param {AuthenticationLimits} limits those it is started with
   * @returns {void}
   */
  serve(loopbackSocket, timeout, gate, limits) {
    if (this.#isTrusted) {
      gate.unmute(this.socket);
    } else {
      this.#gates.add(gate);
      gate.mute(this.socket);
    }
    if (this.#servings.has(loopbackSocket)) {
      return;
    }
    const refusal = this.disconnected?.refusal;
    if (refusal !== undefined) {
      // It has been revoked, or has expired, while its session was being restored.
      exclude(this.socket, refusal);
      return;
    }
    const returned = this.disconnected?.boundBy(loopbackSocket);
    const index =
      returned === undefined
        ? this.session.serve(timeout, Date.now())
        : this.session.serveRestored();
    if (index < 0) {
      return;
    }
    const settled =
      this.#isTrusted || returned !== undefined || this.disconnected?.isExempt
        ? ignore
        : limits.enter(this.socket, this.socket.handshake?.address);
    if (settled === undefined) {
      exclude(this.socket, new TooManyPendingError());
      return;
    }
    const serving = {
      loopbackSocket,
      index,
      limits,
      attempts: 0,
      settled,
      timer: undefined,
      bindings: new Map(),
      onDemand: undefined,
      methods: undefined,
      credentials: undefined,
    };
    this.#servings.set(loopbackSocket, serving);
    this.#byIndex[index] = serving;
    if (timeout !== null && returned === undefined) {
      serving.timer = setTimeout(() => this.#expire(), timeout);
    }
    // One parameter here, two for methods: emitters that look like sockets count them.
    this.socket.on('authentication', (credentials) => {
      this.#attempt(loopbackSocket, index, credentials);
    });
    if (returned !== undefined) {
      this.#bind(index, returned.methods, returned.credentials);
      this.socket.auth = true;
      this.authenticated();
    } else if (this.disconnected?.isExempt) {
      this.socket.auth = true;
    }
  }

  /**
   * What the instances that have authenticated the socket have bound.
   *
   * @returns {Map<import('../loopback-socket'), import('../auth/disconnected-sockets').Bound>} by instance
   */
  #bound() {
    const bound = new Map();
    for (const { loopbackSocket, methods, credentials } of this.#servings.values()) {
      if (methods !== undefined) {
        bound.set(loopbackSocket, { methods, credentials });
      }
    }
    return bound;
  }

  /**
   * Binds methods as listeners of the socket, in the place of those bound before.
   *
   * @param {number} index the number of the LoopbackSocket
   * @param {import('../auth/authenticate').BoundMethods} methods the methods
   * @param {unknown} credentials what their handlers get
   * @returns {void}
   */
  bind(index, methods, credentials) {
    this.#recovered?.defer();
    this.#bind(index, methods, credentials);
  }

  /**
   * An attempt that has bound methods is answered: what a recovered socket has missed follows.
   *
   * @returns {void}
   */
  answered() {
    this.#recovered?.answered();
  }

  /**
   * @param {number} index the number of the LoopbackSocket
   * @param {import('../auth/authenticate').BoundMethods} methods the methods
   * @param {unknown} credentials what their handlers get
   * @returns {void}
   */
  #bind(index, methods, credentials) {
    const serving = this.#byIndex[index];
    if (serving === undefined) {
      return;
    }
    const { bindings, loopbackSocket } = serving;
    serving.methods = methods;
    serving.credentials = credentials;
    authenticatedWith(loopbackSocket).add(this);
    for (const binding of bindings.values()) {
      binding.method = undefined;
    }
    const { onDemand } = methods;
    const isOnDemand = onDemand !== undefined && typeof this.socket.use === 'function';
    const listened = isOnDemand ? methods.slice(0, methods.length - onDemand.size) : methods;
    for (const method of listened) {
      this.#listen(serving, method, credentials);
    }
    if (isOnDemand) {
      // Those that the client has called before.
      for (const name of bindings.keys()) {
        const method = onDemand.get(name);
        if (method !== undefined) {
          this.#listen(serving, method, credentials);
        }
      }
      this.#listenOnDemand(serving, onDemand, credentials);
    }
    for (const [name, { method, listener }] of bindings) {
      if (method === undefined && typeof this.socket.removeListener === 'function') {
        this.socket.removeListener(name, listener);
        bindings.delete(name);
      }
    }
  }

  /**
   * Binds a method as a listener of the socket.
   *
   * @param {Serving} serving of its LoopbackSocket
   * @param {import('../auth/authenticate').BoundMethod} method the method
   * @param {unknown} credentials what its handler gets
   * @returns {void}
   */
  #listen({ bindings, loopbackSocket }, method, credentials) {
    const { name } = method;
    if (EMITTER_EVENTS.has(name)) {
      return;
    }
    let binding = bindings.get(name);
    if (binding === undefined) {
      binding = { listener: undefined, method, credentials };
      binding.listener = this.#listenerOf(loopbackSocket, binding);
      bindings.set(name, binding);
      this.socket.on(name, binding.listener);
    } else {
      Object.assign(binding, { method, credentials });
      this.#listenAgain(name, binding.listener);
    }
    if (method.control === undefined) {
      controlListeners.delete(binding.listener);
    } else {
      controlListeners.add(binding.listener);
    }
  }

  /**
   * Has the socket listen to a method when its client first calls it. A middleware of the socket sees the
   * call before its listeners are looked up.
   *
   * @param {Serving} serving of its LoopbackSocket
   * @param {Map<string, import('../auth/authenticate').BoundMethod>} methods by name; all sockets share it
   * @param {unknown} credentials what the handlers get
   * @returns {void}
   */
  #listenOnDemand(serving, methods, credentials) {
    const isFirst = serving.onDemand === undefined;
    serving.onDemand = { methods, credentials };
    if (!isFirst) {
      return;
    }
    this.socket.use((event, next) => {
      const name = event[0];
      const { onDemand, bindings } = serving;
      const method = onDemand?.methods.get(name);
      if (method !== undefined && !bindings.has(name)) {
        this.#listen(serving, method, onDemand.credentials);
      }
      next();
    });
  }

  /**
   * Adds the listener of a method that is bound again, if the application has removed it meanwhile.
   *
   * @param {string} name the method
   * @param {Function} listener its listener
   * @returns {void}
   */
  #listenAgain(name, listener) {
    const { socket } = this;
    if (typeof socket.listeners === 'function' && !socket.listeners(name).includes(listener)) {
      socket.on(name, listener);
    }
  }

  /**
   * The application has set `socket.auth` itself, instead of the client authenticating: broadcasts
   * reach the socket, and no timeout ends it. What it may call stays as it is.
   *
   * @returns {void}
   */
  exempt() {
    if (!this.#isTrusted) {
      this.session.exempt();
      this.authenticated();
    }
  }

  /**
   * The socket has authenticated: broadcasts reach it, and no timeout ends it.
   *
   * @returns {void}
   */
  authenticated() {
    this.#isTrusted = true;
    this.#settle();
    for (const gate of this.#gates) {
      gate.unmute(this.socket);
    }
    this.#gates.clear();
  }

  /**
   * @param {import('../loopback-socket')} loopbackSocket whose method it is
   * @param {Binding} binding the method
   * @returns {Function} the listener of the method's event
   */
  #listenerOf(loopbackSocket, binding) {
    const hosted = this;
    return function method(args, ack) {
      let options;
      // The acknowledgement comes last, whatever the client sent before it.
      if (arguments.length === 1 && typeof args === 'function') {
        ack = args;
        args = undefined;
      } else if (arguments.length > 1) {
        options = ack;
        ack = arguments[arguments.length - 1];
      }
      hosted.#call(loopbackSocket, binding, args, options, ack);
    };
  }

  /**
   * The client calls a method. The session decided that it may when it took the methods, and that holds
   * until the socket ends. Only the handler of a call keeps anything of it, since a handler may never end.
   *
   * @param {import('../loopback-socket')} loopbackSocket whose method it is
   * @param {Binding} binding the method
   * @param {unknown} args what the client sent
   * @param {unknown} options what the client sent behind that; plain methods ignore it
   * @param {unknown} ack answers the client, if it is a function
   * @returns {void}
   */
  #call(loopbackSocket, binding, args, options, ack) {
    const { method, credentials } = binding;
    if (method === undefined) {
      return;
    }
    resolved.then(() => {
      const settle =
        typeof ack === 'function'
          ? (failed, value) =>
              this.#ended ? undefined : answer(ack, failed, value, this.encodable)
          : ignore;
      if (method.isPlain && loopbackSocket._definitions.isPlain) {
        invoke(method.fn, method.self, [this.socket, credentials, args], settle);
      } else {
        runCall(this, loopbackSocket, method, { credentials, args, options }, settle);
      }
    });
  }

  /**
   * The client sends credentials.
   *
   * @param {import('../loopback-socket')} loopbackSocket whose handlers decide
   * @param {number} index its number in the session
   * @param {unknown} credentials what the client sent; the acknowledgement if it sent only that
   * @returns {void}
   */
  #attempt(loopbackSocket, index, credentials) {
    const attempt = this.session.credentials(index);
    if (attempt < 0) {
      return;
    }
    const given = typeof credentials === 'function' ? undefined : credentials;
    resolved.then(() => {
      // It may have ended meanwhile, and the functions of the application are not begun for it.
      if (!this.#ended) {
        authenticate(this, loopbackSocket, index, attempt, given);
      }
    });
  }

  /**
   * The timeout of a LoopbackSocket is over.
   *
   * @returns {void}
   */
  #expire() {
    if (this.socket.auth) {
      // Exempted on an emitter whose `auth` `watchAuth` could not define.
      this.exempt();
    } else if (this.session.tick(Date.now())) {
      this.#settle();
      disconnect(this.socket, true);
    }
  }

  /**
   * Counts attempts to authenticate that fail or are under way.
   *
   * @param {number} index the number of a LoopbackSocket
   * @param {number} by how many more
   * @returns {boolean} whether they are too many
   */
  count(index, by) {
    const serving = this.#byIndex[index];
    // The socket ended while its handlers ran.
    if (serving === undefined) {
      return false;
    }
    serving.attempts += by;
    return serving.limits.isExceededBy(serving.attempts);
  }

  /**
   * The socket is pending no more.
   *
   * @returns {void}
   */
  #settle() {
    for (const { timer, settled } of this.#servings.values()) {
      clearTimeout(timer);
      settled();
    }
  }

  /**
   * The socket is gone: lets go of everything.
   *
   * @returns {void}
   */
  #end() {
    this.#ended = true;
    this.session.disconnected();
    this.#settle();
    clearExpires(this.socket);
    for (const serving of this.#servings.values()) {
      authenticatedWith(serving.loopbackSocket).delete(this);
      for (const binding of serving.bindings.values()) {
        Object.assign(binding, { method: undefined, credentials: undefined });
      }
      serving.onDemand = undefined;
    }
    this.endCalls();
    this.#gates.clear();
    this.#servings.clear();
    this.#byIndex.length = 0;
    if (hostedSockets.get(this.socket) === this) {
      hostedSockets.delete(this.socket);
    }
    // At last, as functions of the application may run now.
    this.subscriptions?.close();
  }
}

/**
 * @param {import('../loopback-socket')} loopbackSocket an instance
 * @returns {Set<HostedSocket>} the sockets that have authenticated with it
 */
function authenticatedWith(loopbackSocket) {
  let sockets = authenticatedSockets.get(loopbackSocket);
  if (sockets === undefined) {
    authenticatedSockets.set(loopbackSocket, (sockets = new Set()));
  }
  return sockets;
}

/**
 * @param {Set<HostedSocket>} sockets the sockets that have authenticated with an instance
 * @param {import('../loopback-socket')} instance the instance
 * @returns {Iterable<import('../calls/definitions').Authenticated>} what the instance needs to know of them
 */
function* entriesOf(sockets, instance) {
  for (const hosted of sockets) {
    const { socket, subscriptions } = hosted;
    yield { socket, credentials: hosted.credentialsOf(instance), subscriptions };
  }
}

/**
 * Gives a socket its `auth`, `false` for now, and its `expires`.
 *
 * @param {object} socket the server's socket
 * @returns {void}
 */
function watchAuth(socket) {
  try {
    // Not enumerable, as it is for us alone. The same for all sockets: they keep one shape.
    Object.defineProperty(socket, STANDING, { configurable: true, writable: true, value: false });
    Object.defineProperty(socket, 'auth', AUTH);
  } catch {
    // An emitter that defines its `auth` itself.
    socket.auth = false;
  }
  try {
    Object.defineProperty(socket, 'expires', EXPIRES);
  } catch {
    // An emitter that defines its `expires` itself.
  }
}

/**
 * @param {object} socket the server's socket
 * @returns {boolean} whether a server owns it that encodes values with faults: Socket.IO 2 or 3,
 *   whose sockets have no `except` yet
 */
function needsEncodable(socket) {
  return Boolean(socket.nsp && socket.client && typeof socket.except !== 'function');
}

/**
 * Drops the outcome of a call that asks for no acknowledgement.
 *
 * @returns {void}
 */
function ignore() {}

/**
 * @param {unknown} value any value
 * @returns {unknown} the same
 */
function identity(value) {
  return value;
}

module.exports = { serve };
