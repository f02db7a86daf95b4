'use strict';

/**
 * Serves the sockets of an npm `socket.io` server, version 2 to 4, or of an emitter that looks like
 * one. The server owns sockets and values; what happens to a socket is decided by the native
 * `HostedSessions`, which this file asks and obeys.
 *
 * What must stay true: nothing that a handler or a client does throws into the server; a socket
 * that is gone holds no timer and no handler.
 */

const { hostedSessions } = require('../native/binding');
const { authenticate } = require('../auth/authenticate');
const { disconnect, exclude } = require('../auth/exclude');
const { clearExpires, expiresOf, restoreExpires, setExpires } = require('../auth/expiry');
const { EMIT_OWN } = require('../auth/own-events');
const { AuthenticationLimits } = require('../auth/limits');
const { BroadcastGate } = require('./broadcast-gate');
const { spareStreams } = require('./streams');
const { TooManyPendingError } = require('../errors');
const { EMITTER_EVENTS, guarded } = require('../events');
const { answer, invoke } = require('../calls/invoke');
const { measure } = require('../calls/call-metrics');
const { runCall } = require('../calls/run-call');
const { encodable, encodableForVersion4 } = require('./encodable');
const { emitDirectly, recoveredOf, rememberBound } = require('./recovery');
const { watchRefusals } = require('./refusals');
const { watchServerOf } = require('./socket-class');
const { knownState, stateOf } = require('./socket-state');
const { HostedEngine, isOwnItem, send } = require('./subscription-engine');
const { isCallObserved } = require('../observability/channels');
const { Completion, isInstrumented } = require('../observability/completion');
const { authenticationTimedOut, connected, disconnected } = require('../observability/sockets');
const { sizeOf } = require('../subscriptions/item-size');
const { SocketOwner } = require('../subscriptions/socket-owner');
const { Timers, delayOf } = require('../auth/timeout');

/** Decides about all sockets. */
const sessions = hostedSessions();

// What a session answers if there is nothing to do.
const { NOTHING } = require('../native/protocol').SessionAnswer;

/** `socket.auth`: setting it to true exempts the socket from authentication. */
const AUTH = {
  configurable: true,
  enumerable: true,
  get() {
    return knownState(this)?.auth;
  },
  set(value) {
    const state = stateOf(this);
    state.auth = value;
    if (value) {
      state.hosted?.exempt();
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
    const hosted = knownState(this)?.hosted;
    if (hosted !== undefined && !hosted.hasEnded) {
      setExpires(this, value, hosted.attempting);
    }
  },
};

/** @type {WeakMap<object, Set<HostedSocket>>} the authenticated sockets of each instance */
const authenticatedSockets = new WeakMap();

/** @type {WeakSet<Function>} the listeners of control events, which are no listeners of the application */
const controlListeners = new WeakSet();

/** A list of a socket that has nothing to put into it any more. */
const NONE = Object.freeze([]);

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

/** @type {WeakMap<object, HostedEngine>} what brings subscribers their items, by namespace */
const engines = new WeakMap();

/** What engines report of subscribers. */
const REPORTS = {
  ended: (socket, number, how) => knownState(socket)?.hosted?.subscriptions?.ended(number, how),
  credit: (socket, number, count) =>
    knownState(socket)?.hosted?.subscriptions?.credit(number, count),
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
  watchRefusals(io);
  const limits = new AuthenticationLimits(options, loopbackSocket._definitions);
  const timeout = delayOf(loopbackSocket._timeout);
  const timers = timeout === null ? undefined : new Timers(timeout);
  loopbackSocket._definitions.addHost(authenticatedWith(loopbackSocket), entriesOf);
  loopbackSocket._definitions.addHost(io, () => NONE, figuresOf);
  io.on('connection', (socket) => {
    let hosted = knownState(socket)?.hosted;
    if (hosted === undefined) {
      const before = socket.expires;
      const state = stateOf(socket);
      watchAuth(socket, state);
      if (socket.connected === false) {
        // Disconnected by a listener before ours: its `disconnect` event is over.
        return;
      }
      hosted = new HostedSocket(socket, io);
      state.hosted = hosted;
      // Middleware of the application may have set it.
      if (before !== undefined) {
        guarded(() => setExpires(socket, before));
      }
      restoreExpires(socket, hosted.disconnected?.dates ?? NONE);
      connected(socket);
    }
    hosted.serve(loopbackSocket, { timeout, timers, gate, limits });
  });
}

/** One LoopbackSocket on one socket. */
class Serving {
  /**
   * @param {HostedSocket} hosted the socket
   * @param {import('../loopback-socket')} loopbackSocket the instance
   * @param {number} index its number in the session
   * @param {AuthenticationLimits} limits those it was started with
   * @param {() => void} settled called when the socket is pending no more
   */
  constructor(hosted, loopbackSocket, index, limits, settled) {
    this.hosted = hosted;
    this.loopbackSocket = loopbackSocket;
    this.index = index;
    this.limits = limits;
    /** How many attempts to authenticate failed or are under way. */
    this.attempts = 0;
    /** @type {(() => void) | undefined} */
    this.settled = settled;
    /** @type {NodeJS.Timeout | undefined} closes the connection of a socket that stays pending */
    this.timer = undefined;
    /** @type {import('../auth/authenticate').BoundMethods | undefined} the methods that are bound */
    this.methods = undefined;
    /** Those that the client has authenticated with last. */
    this.credentials = undefined;
    /** @type {import('../auth/authenticate').BoundMethods | undefined} the methods that were bound first */
    this.first = undefined;
    /**
     * The listeners of these, as many as the socket listens to from the beginning; the same ones for as long as
     * it lives.
     *
     * @type {Function[] | undefined}
     */
    this.listeners = undefined;
    /**
     * All listeners of methods by name, once others than the first have been bound.
     *
     * @type {Map<string, Function> | undefined}
     */
    this.byName = undefined;
    this.hasMiddleware = false;
    /** Whether an instrumentation measures listeners of the socket: then they return when they are done. */
    this.isMeasured = isInstrumented(hosted.socket.on);
  }

  /**
   * @param {import('../auth/authenticate').BoundMethod} method a method that the socket listens to
   * @returns {import('../auth/authenticate').BoundMethod | undefined} the method that is bound by that name
   *   now, if there is one
   */
  current(method) {
    const { methods } = this;
    return methods === this.first ? method : methods && methodNamed(methods, method.name);
  }
}

/**
 * A socket of the server, served by one or more LoopbackSockets. The host of their attempts, calls and
 * subscriptions.
 */
class HostedSocket extends SocketOwner {
  /** @type {Set<import('../auth/expiry').AttemptExpiry> | undefined} its attempts to authenticate, for `expires` */
  attempting = undefined;
  /** The number of its session; 0 as long as there is none. */
  #session = 0;
  /** @type {Serving[]} almost always one */
  #servings = [];
  /** @type {BroadcastGate[]} those that keep broadcasts away from the socket */
  #gates = [];
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
    /** Whether it has ended when it is not `connected`, and only then. */
    this.isWatched = watchServerOf(socket);
    this.encodable = encodableFor(socket);
    this.#recovered = recoveredOf(socket);
    if (socket.nsp?.server?.opts?.connectionStateRecovery) {
      const value = (...data) => emitDirectly(socket, data);
      Object.defineProperty(socket, EMIT_OWN, { configurable: true, value });
      rememberBound(socket, () => this.#bound());
    }
    // Before the listeners of the application, where an emitter can, which then find it ended. A client may have forged
    // the event, and the application may remove the listener: see `socket-class.js`.
    const listen = typeof socket.prependListener === 'function' ? 'prependListener' : 'on';
    socket[listen]('disconnect', endHosted.bind(this));
    spareStreams(socket.conn);
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
    return this.#servingOf(loopbackSocket)?.credentials;
  }

  /**
   * @param {import('../loopback-socket')} loopbackSocket an instance
   * @returns {number} how many subscriptions the socket may have
   */
  maxSubscriptionsOf(loopbackSocket) {
    return this.#servingOf(loopbackSocket)?.limits.maxSubscriptions ?? 0;
  }

  /**
   * @param {import('../loopback-socket')} loopbackSocket an instance
   * @returns {Serving | undefined} what is known of it on this socket
   */
  #servingOf(loopbackSocket) {
    return this.#servings.find((serving) => serving.loopbackSocket === loopbackSocket);
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
   * @param {object} start what it is started with
   * @param {number | null} start.timeout how long the socket may stay pending; `null` for ever
   * @param {Timers | undefined} start.timers timers of that time
   * @param {BroadcastGate} start.gate the gate of the `io` it is started on
   * @param {AuthenticationLimits} start.limits its limits
   * @returns {void}
   */
  serve(loopbackSocket, { timeout, timers, gate, limits }) {
    if (this.#isTrusted) {
      gate.unmute(this.socket);
    } else {
      if (!this.#gates.includes(gate)) {
        this.#gates.push(gate);
      }
      gate.mute(this.socket);
    }
    if (this.#servingOf(loopbackSocket) !== undefined) {
      return;
    }
    const refusal = this.disconnected?.refusal;
    if (refusal !== undefined) {
      // It has been revoked, or has expired, while its session was being restored.
      exclude(this.socket, refusal);
      return;
    }
    const returned = this.disconnected?.boundBy(loopbackSocket);
    const settled =
      this.#isTrusted || returned !== undefined || this.disconnected?.isExempt
        ? ignore
        : limits.enter(this.socket, this.socket.handshake?.address);
    if (settled === undefined) {
      loopbackSocket._definitions.authentication.tooManyPending += 1;
      exclude(this.socket, new TooManyPendingError());
      return;
    }
    // A function of the application that gives the address may have ended it.
    const index = this.#ended ? NOTHING : this.#beginSession(returned === undefined, timeout);
    if (index < 0) {
      settled();
      return;
    }
    const serving = new Serving(this, loopbackSocket, index, limits, settled);
    this.#servings.push(serving);
    if (returned === undefined) {
      serving.timer = timers?.start(() => this.#expire());
    }
    this.socket.on('authentication', receiveCredentials.bind(serving));
    if (returned !== undefined) {
      this.#bind(serving, returned.methods, returned.credentials);
      this.socket.auth = true;
      this.authenticated();
    } else if (this.disconnected?.isExempt) {
      this.socket.auth = true;
    }
  }

  /**
   * @param {number} index the number of a LoopbackSocket
   * @returns {Serving | undefined} what is known of it on this socket, unless the socket has ended
   */
  #servingAt(index) {
    const serving = this.#servings[index];
    return serving?.index === index
      ? serving
      : this.#servings.find((other) => other.index === index);
  }

  /**
   * Tells the session of a LoopbackSocket that begins to serve the socket.
   *
   * @param {boolean} isNew whether it has not authenticated the socket before
   * @param {number | null} timeout how long the socket may stay pending; `null` for ever
   * @returns {number} its number; below 0 if the session has ended
   */
  #beginSession(isNew, timeout) {
    if (this.#session === 0) {
      this.#session = isNew ? sessions.open(timeout, Date.now()) : sessions.openRestored();
      return 0;
    }
    return isNew
      ? sessions.serve(this.#session, timeout, Date.now())
      : sessions.serveRestored(this.#session);
  }

  /**
   * @param {number} index the number of a LoopbackSocket
   * @param {number} attempt the number of an attempt, of which a handler is done
   * @param {boolean} accepted whether the handler accepts the socket
   * @param {number} handlers how many onConnected handlers there are, when the auth function is done
   * @returns {number} the onConnected handler that is to run, or what else is to be done
   */
  outcome(index, attempt, accepted, handlers) {
    return sessions.outcome(this.#session, index, attempt, accepted, handlers);
  }

  /**
   * The methods of an attempt are bound.
   *
   * @returns {boolean} whether the socket is authenticated: it has not ended meanwhile
   */
  bound() {
    return !this.#ended;
  }

  /**
   * @param {number} index the number of a LoopbackSocket
   * @param {number} attempt the number of an attempt, whose refusal the client has acknowledged
   * @returns {boolean} whether the socket is to be disconnected
   */
  acknowledged(index, attempt) {
    return sessions.acknowledged(this.#session, index, attempt);
  }

  /**
   * What the instances that have authenticated the socket have bound.
   *
   * @returns {Map<import('../loopback-socket'), import('../auth/disconnected-sockets').Bound>} by instance
   */
  #bound() {
    const bound = new Map();
    for (const { loopbackSocket, methods, credentials } of this.#servings) {
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
    const serving = this.#servingAt(index);
    // There is none any more if the socket has ended while its handlers ran.
    if (serving !== undefined) {
      this.#bind(serving, methods, credentials);
    }
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
   * @param {Serving} serving of the LoopbackSocket
   * @param {import('../auth/authenticate').BoundMethods} methods the methods
   * @param {unknown} credentials what their handlers get
   * @returns {void}
   */
  #bind(serving, methods, credentials) {
    const { first } = serving;
    serving.methods = methods;
    serving.credentials = credentials;
    authenticatedWith(serving.loopbackSocket).add(this);
    const { onDemand } = methods;
    const isOnDemand = onDemand !== undefined && typeof this.socket.use === 'function';
    const count = isOnDemand ? methods.length - onDemand.size : methods.length;
    if (first === undefined) {
      serving.first = methods;
      serving.listeners = new Array(count);
      for (let i = 0; i < count; i++) {
        serving.listeners[i] = this.#listen(serving, methods[i]);
      }
    } else {
      this.#bindAgain(serving, methods, count);
    }
    if (isOnDemand) {
      this.#listenOnDemand(serving);
    }
  }

  /**
   * Binds methods in the place of those bound before.
   *
   * @param {Serving} serving of the LoopbackSocket
   * @param {import('../auth/authenticate').BoundMethods} methods the methods
   * @param {number} count how many of them the socket is to listen to now, and not when they are called
   * @returns {void}
   */
  #bindAgain(serving, methods, count) {
    const byName = listenersByName(serving);
    for (let i = 0; i < count; i++) {
      const listener = byName.get(methods[i].name);
      if (
        listener === undefined ||
        (serving.isMeasured && !this.#listensTo(methods[i].name, listener))
      ) {
        this.#add(byName, serving, methods[i]);
      } else {
        this.#listenAgain(methods[i], listener);
      }
    }
    for (const [name, listener] of byName) {
      const method = methodNamed(methods, name);
      if (method === undefined) {
        if (typeof this.socket.removeListener === 'function') {
          this.socket.removeListener(name, listener);
          byName.delete(name);
        }
      } else if (count < methods.length && methods.onDemand.has(name)) {
        // On demand, and the client has called it before.
        this.#listenAgain(method, listener);
      }
    }
  }

  /**
   * Binds a method as a listener of the socket, and notes it by its name.
   *
   * @param {Map<string, Function>} byName the listeners
   * @param {Serving} serving of its LoopbackSocket
   * @param {import('../auth/authenticate').BoundMethod} method the method
   * @returns {void}
   */
  #add(byName, serving, method) {
    const listener = this.#listen(serving, method);
    if (listener !== undefined) {
      byName.set(method.name, listener);
    }
  }

  /**
   * Binds a method as a listener of the socket.
   *
   * @param {Serving} serving of its LoopbackSocket
   * @param {import('../auth/authenticate').BoundMethod} method the method
   * @returns {Function | undefined} the listener
   */
  #listen(serving, method) {
    const { name } = method;
    if (EMITTER_EVENTS.has(name)) {
      return undefined;
    }
    let listener = receiveCall.bind(serving, method);
    this.socket.on(name, listener);
    if (serving.isMeasured && typeof this.socket.listeners === 'function') {
      // An instrumentation adds a function of its own in its place.
      listener = this.socket.listeners(name).at(-1);
    }
    if (method.control !== undefined) {
      controlListeners.add(listener);
    }
    return listener;
  }

  /**
   * Has the socket listen to a method when its client first calls it. A middleware of the socket sees the
   * call before its listeners are looked up.
   *
   * @param {Serving} serving of its LoopbackSocket
   * @returns {void}
   */
  #listenOnDemand(serving) {
    if (serving.hasMiddleware) {
      return;
    }
    serving.hasMiddleware = true;
    this.socket.use((event, next) => {
      const method = serving.methods?.onDemand?.get(event[0]);
      if (method !== undefined) {
        const byName = listenersByName(serving);
        if (!byName.has(method.name)) {
          this.#add(byName, serving, method);
        }
      }
      next();
    });
  }

  /**
   * A method is bound again: adds its listener, if the application has removed it meanwhile.
   *
   * @param {import('../auth/authenticate').BoundMethod} method the method
   * @param {Function} listener its listener
   * @returns {void}
   */
  #listenAgain({ name, control }, listener) {
    if (!this.#listensTo(name, listener)) {
      this.socket.on(name, listener);
    }
    if (control === undefined) {
      controlListeners.delete(listener);
    } else {
      controlListeners.add(listener);
    }
  }

  /**
   * @param {string} name an event
   * @param {Function} listener a listener that has been added
   * @returns {boolean} whether the socket still listens with it, as far as it can say so
   */
  #listensTo(name, listener) {
    const { socket } = this;
    return typeof socket.listeners !== 'function' || socket.listeners(name).includes(listener);
  }

  /**
   * The application has set `socket.auth` itself, instead of the client authenticating: broadcasts
   * reach the socket, and no timeout ends it. What it may call stays as it is.
   *
   * @returns {void}
   */
  exempt() {
    if (!this.#isTrusted) {
      sessions.exempt(this.#session);
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
    this.#gates = NONE;
  }

  /**
   * The client calls a method. The session decided that it may when it took the methods, and that holds
   * until the socket ends. Only the handler of a call keeps anything of it, since a handler may never end.
   *
   * @param {Serving} serving of its LoopbackSocket
   * @param {import('../auth/authenticate').BoundMethod} method the method
   * @param {unknown} args what the client sent
   * @param {unknown} options what the client sent behind that; plain methods ignore it
   * @param {unknown} ack answers the client, if it is a function
   * @returns {Completion | undefined} its end, for an instrumentation that measures it
   */
  call(serving, method, args, options, ack) {
    const { loopbackSocket, credentials } = serving;
    const completion =
      serving.isMeasured && method.control === undefined ? new Completion() : undefined;
    resolved.then(() => {
      const unmeasured =
        typeof ack === 'function'
          ? (failed, value) =>
              this.#ended ? undefined : answer(ack, failed, value, this.encodable)
          : ignore;
      let settle =
        completion === undefined ? unmeasured : measured(unmeasured, completion, this.#ended);
      const { callMetrics } = loopbackSocket._definitions;
      if (callMetrics !== undefined && method.control === undefined && !this.#ended) {
        settle = measure(this, method, settle, callMetrics);
      }
      if (method.isPlain && loopbackSocket._definitions.isPlain && !isCallObserved()) {
        invoke(method.fn, method.self, [this.socket, credentials, args], settle);
      } else {
        runCall(this, loopbackSocket, method, { credentials, args, options }, settle);
      }
    });
    return completion;
  }

  /**
   * The client sends credentials.
   *
   * @param {Serving} serving of the LoopbackSocket whose handlers decide
   * @param {unknown} credentials what the client sent; the acknowledgement if it sent only that
   * @returns {Completion | undefined} its end, for an instrumentation that measures it
   */
  attempt({ loopbackSocket, index, isMeasured }, credentials) {
    const attempt = sessions.credentials(this.#session, index);
    if (attempt < 0) {
      return undefined;
    }
    const given = typeof credentials === 'function' ? undefined : credentials;
    const completion = isMeasured ? new Completion() : undefined;
    resolved.then(() => {
      // It may have ended meanwhile, and the functions of the application are not begun for it.
      if (this.#ended) {
        completion?.finish(false);
      } else {
        authenticate(this, loopbackSocket, index, attempt, given, completion);
      }
    });
    return completion;
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
    } else if (sessions.tick(this.#session, Date.now())) {
      for (const { loopbackSocket } of this.#servings) {
        loopbackSocket._definitions.authentication.timedOut += 1;
      }
      this.#settle();
      authenticationTimedOut(this.socket);
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
    const serving = this.#servingAt(index);
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
    for (const serving of this.#servings) {
      const { timer, settled } = serving;
      // Not kept: a connection may be idle for hours.
      serving.timer = undefined;
      serving.settled = undefined;
      clearTimeout(timer);
      settled?.();
    }
  }

  /**
   * @param {import('../loopback-socket')} loopbackSocket an instance
   * @returns {'authenticated' | 'pending' | 'open' | undefined} how the socket stands with it; `undefined` if
   *   it does not serve the socket
   */
  standingWith(loopbackSocket) {
    const serving = this.#servingOf(loopbackSocket);
    if (serving === undefined) {
      return undefined;
    }
    if (serving.methods !== undefined) {
      return 'authenticated';
    }
    return this.#isTrusted ? 'open' : 'pending';
  }

  /**
   * The server has ended the socket.
   *
   * @param {unknown} reason why, in Socket.IO's words
   * @returns {void}
   */
  left(reason) {
    if (!this.#ended) {
      disconnected(this.socket, reason);
      this.end();
    }
  }

  /**
   * The socket is gone: lets go of everything.
   *
   * @returns {void}
   */
  end() {
    this.#ended = true;
    sessions.disconnected(this.#session);
    this.#settle();
    clearExpires(this.socket);
    this.attempting = undefined;
    for (const serving of this.#servings) {
      authenticatedWith(serving.loopbackSocket).delete(this);
      serving.methods = undefined;
      serving.credentials = undefined;
    }
    this.endCalls();
    this.#gates = NONE;
    this.#servings = NONE;
    const state = stateOf(this.socket);
    if (state.hosted === this) {
      state.hosted = undefined;
    }
    // At last, as functions of the application may run now.
    this.subscriptions?.close();
  }
}

/**
 * The listener of `authentication`, bound to what it is for. One parameter here, two for methods: emitters that
 * look like sockets count them.
 *
 * @this {Serving}
 * @param {unknown} credentials what the client sent; the acknowledgement if it sent only that
 * @returns {Completion | undefined} the end of the attempt, for an instrumentation that measures it
 */
function receiveCredentials(credentials) {
  return this.hosted.attempt(this, credentials);
}

/**
 * The listener of a method, bound to what it is for. A bound function takes less memory than a closure, and a
 * socket has one for each method.
 *
 * @this {Serving}
 * @param {import('../auth/authenticate').BoundMethod} listened the method
 * @param {unknown} args what the client sent
 * @param {unknown} ack what it sent behind that
 * @returns {Completion | undefined} the end of the call, for an instrumentation that measures it
 */
function receiveCall(listened, args, ack) {
  const method = this.current(listened);
  if (method === undefined || isOwnItem(ack)) {
    return undefined;
  }
  let options;
  // The acknowledgement comes last, whatever the client sent before it.
  if (arguments.length === 2 && typeof args === 'function') {
    ack = args;
    args = undefined;
  } else if (arguments.length > 2) {
    options = ack;
    ack = arguments[arguments.length - 1];
  }
  return this.hosted.call(this, method, args, options, ack);
}

/**
 * The listener of `disconnect`, which a client may have forged: then the socket is still connected.
 *
 * @this {HostedSocket}
 * @param {unknown} reason why, in Socket.IO's words
 * @returns {void}
 */
function endHosted(reason) {
  if (!this.isWatched || !this.socket.connected) {
    this.left(reason);
  }
}

/**
 * @param {Serving} serving what has bound methods
 * @returns {Map<string, Function>} their listeners by name
 */
function listenersByName(serving) {
  if (serving.byName === undefined) {
    const { first, listeners } = serving;
    serving.byName = new Map();
    listeners.forEach((listener, i) => {
      if (listener !== undefined) {
        serving.byName.set(first[i].name, listener);
      }
    });
    serving.listeners = undefined;
  }
  return serving.byName;
}

/** @type {WeakMap<object, Map<string, import('../auth/authenticate').BoundMethod>>} lists of methods by name */
const methodsByName = new WeakMap();

/**
 * @param {import('../auth/authenticate').BoundMethods} methods a list that sockets share
 * @param {string} name a name
 * @returns {import('../auth/authenticate').BoundMethod | undefined} the method of that name
 */
function methodNamed(methods, name) {
  let byName = methodsByName.get(methods);
  if (byName === undefined) {
    byName = new Map(methods.map((method) => [method.name, method]));
    methodsByName.set(methods, byName);
  }
  return byName.get(name);
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
 * @param {object} io what an instance was started on
 * @param {import('../loopback-socket')} instance the instance
 * @returns {import('../calls/instance-metrics').HostFigures} what there is on it, as far as it tells
 */
function figuresOf(io, instance) {
  const namespace = io.sockets?.sockets === undefined ? io : io.sockets;
  // A namespace for a pattern has none itself.
  const namespaces = io.children instanceof Set ? [...io.children] : [namespace];
  const sockets = { pending: 0, authenticated: 0, open: 0 };
  let subscriptions = 0;
  for (const socket of namespaces.flatMap((one) => [...valuesOf(one.sockets)])) {
    const hosted = knownState(socket)?.hosted;
    const standing = hosted?.standingWith(instance);
    if (standing !== undefined) {
      sockets[standing] += 1;
      subscriptions += hosted.subscriptions?.countOf(instance) ?? 0;
    }
  }
  const engine = (io.server ?? io).engine;
  if (engine?.clients === undefined) {
    return { sockets, subscriptions };
  }
  const connections = { polling: 0, websocket: 0, other: 0 };
  for (const { transport } of valuesOf(engine.clients)) {
    const isKnown = transport?.name === 'polling' || transport?.name === 'websocket';
    connections[isKnown ? transport.name : 'other'] += 1;
  }
  return { sockets, subscriptions, connections, engine };
}

/**
 * @param {unknown} collection what a server has by id: a Map, or an object before version 3
 * @returns {Iterable<object>} the objects in it
 */
function valuesOf(collection) {
  if (collection instanceof Map) {
    return collection.values();
  }
  return typeof collection === 'object' && collection !== null ? Object.values(collection) : NONE;
}

/**
 * Gives a socket its `auth`, `false` for now, and its `expires`.
 *
 * @param {object} socket the server's socket
 * @param {import('./socket-state').SocketState} state what is known of it
 * @returns {void}
 */
function watchAuth(socket, state) {
  state.auth = false;
  try {
    // The same for all sockets: they keep one shape.
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
 * @returns {(value: unknown, key: string) => unknown} what makes values encodable for its server; sockets have `except`
 *   from version 4 on
 */
function encodableFor(socket) {
  if (!socket.nsp || !socket.client) {
    return identity;
  }
  if (typeof socket.except !== 'function') {
    return encodable;
  }
  // Another parser has rules of its own.
  return socket.nsp.server?.opts?.parser === undefined ? encodableForVersion4 : identity;
}

/**
 * @param {import('../calls/invoke').Settle} settle answers a call
 * @param {Completion} completion its end
 * @param {boolean} hasEnded whether the socket is gone: then the call may not run, and is measured no longer
 * @returns {import('../calls/invoke').Settle} does both
 */
function measured(settle, completion, hasEnded) {
  if (hasEnded) {
    completion.finish(false);
  }
  return (failed, value) => {
    const unsendable = settle(failed, value);
    completion.finish(failed || unsendable !== undefined, unsendable ?? value);
    return unsendable;
  };
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
