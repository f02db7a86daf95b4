'use strict';

/**
 * A client of the native server, in one namespace.
 */

const { EventEmitter, captureRejectionSymbol } = require('events');
const { withTimeout } = require('./acks');
const { assign, makeAssignable } = require('./assignable');
const { BroadcastOperator, delegateOperators, roomsOf } = require('./broadcast-operator');
const {
  checkedTimeout,
  eventName,
  guarded,
  isOfEmitter,
  reserveEmitterEvents,
} = require('../events');
const { handshakeOf } = require('./handshake');
const { clearExpires, expiresOf, setExpires } = require('../auth/expiry');
const { EMIT_OWN } = require('../auth/own-events');
const { MethodCalls } = require('./method-calls');
const {
  countOwn,
  methodsBound,
  ownFunctions,
  ownNames,
  removeAllOwn,
  removeOwn,
} = require('./loopback-listeners');
const { SocketRecovery } = require('./recovery/socket-recovery');
const { DESCRIBE } = require('../observability/message');
const { disconnected } = require('../observability/sockets');
const { sizeOf } = require('../subscriptions/item-size');

const { emit: emitLocally } = EventEmitter.prototype;

const NO_FLAGS = Object.freeze({});

/** Stands for `socket.data` before that is asked for. */
const NO_DATA = Symbol('no data');

/** The request of a client that gave nothing but the name of a namespace. */
const NOTHING = Object.freeze({});

class Socket extends EventEmitter {
  /** Whether the socket has joined its namespace: not before its middleware is done. */
  connected = false;
  /** Whether broadcasts pass the socket by. */
  _isMuted = false;
  /** Whether the socket waits for its client to authenticate; if so, broadcasts pass it by. */
  _isPending = false;
  /** How many of its calls and attempts to authenticate are in flight. */
  _inFlight = 0;
  /** @type {Set<import('../auth/expiry').AttemptExpiry> | undefined} the latter, for `expires` */
  _attempting;
  /** Whether calls and attempts to authenticate are left alone: its connection ends after those in flight. */
  _beginsNothing = false;
  /** @type {SocketRecovery | undefined} if its server recovers the state of connections */
  _recovery;
  /** Whether it is ending; its `disconnecting` listeners may try to end it again. */
  #isEnding = false;
  #auth;
  /** Its rooms; not set while it is only in that of its own id. */
  #rooms;
  #data = NO_DATA;
  #handshake;
  #asked;
  #flags = NO_FLAGS;
  #middleware;
  #anyListeners;
  #anyOutgoingListeners;
  /** Callbacks waiting for an acknowledgement of the client, by id. */
  #acks;
  /** What middleware has emitted: sent when the socket is accepted. */
  #early;
  /** How many attempts to authenticate with each LoopbackSocket have failed or are under way. */
  #attempts;
  /** What is called when the socket is pending no more. */
  #settled;
  /** @type {MethodCalls | undefined} the methods that its client may call, once it has authenticated */
  #calls;

  /**
   * @param {import('./namespace').Namespace} nsp its namespace
   * @param {number} number its number on the native server
   * @param {import('./connection').Connection} connection its connection
   * @param {{id: string, auth?: object, query?: string}} request what the client asked with
   * @param {import('./recovery/recovery').RestoredSession} [restored] its session, if that is restored
   */
  constructor(nsp, number, connection, { id, auth, query }, restored) {
    super();
    // Most sockets never have a listener; Node makes the object that holds them with the first one.
    this._events = undefined;
    this.nsp = nsp;
    /** What the client knows as its `socket.id`. */
    this.id = id;
    this._number = number;
    this._connection = connection;
    /** The LoopbackSockets that serve it, by their number. */
    this._instances = nsp._instances;
    this.#asked = auth === undefined && !query ? NOTHING : { auth, query };
    const { recovery } = nsp._link;
    // Clients of protocol 4 know nothing of recovery.
    if (recovery !== undefined && connection.protocol !== 3) {
      this._recovery = new SocketRecovery(recovery, this, restored);
      if (restored !== undefined) {
        this.id = restored.session.sid;
        this.#data = restored.session.data;
      }
    }
  }

  /** @returns {import('./server')} the server */
  get server() {
    return this.nsp.server;
  }

  /** @returns {import('../native/command-writer').CommandWriter} sends commands to the native server */
  get #commands() {
    return this.nsp._link.commands;
  }

  /** @returns {object} the adapter of the namespace */
  get adapter() {
    return this.nsp.adapter;
  }

  /**
   * Whether the state of a lost connection was recovered: the socket has the id, the rooms and the data that it
   * had, and its client gets what it has missed.
   *
   * @returns {boolean} whether it was
   */
  get recovered() {
    return this._recovery?.isRecovered ?? false;
  }

  /** @returns {string | undefined} the private id of its session, if its state can be recovered later */
  get pid() {
    return this._recovery?.pid;
  }

  /** @returns {object} the connection as Socket.IO sees it */
  get client() {
    return this._connection.client;
  }

  /** @returns {object} the connection as Engine.IO sees it */
  get conn() {
    return this._connection.conn;
  }

  /** @returns {import('http').IncomingMessage} the request that opened the connection */
  get request() {
    return this.client.request;
  }

  /**
   * Whether the client has authenticated with the LoopbackSocket that serves this namespace;
   * `undefined` if none does. An application may exempt a socket by setting this to true: then no
   * timeout ends the socket any more.
   *
   * @returns {boolean | undefined} the state
   */
  get auth() {
    return this.#auth;
  }

  set auth(value) {
    const isExempted = Boolean(value) && !this.#auth;
    this.#auth = value;
    if (isExempted) {
      this._isPending = false;
      this.#settle();
    }
    if (isExempted && this.connected) {
      this.nsp._link.sessions.exempt(this._number);
      this._connection.authenticated(this);
    }
  }

  /**
   * Until when the client is authenticated: if it has not authenticated again by then, its connection is
   * closed.
   *
   * @returns {Date | number | null} what the application has set
   */
  get expires() {
    return expiresOf(this);
  }

  set expires(date) {
    if (!this.#isEnding) {
      setExpires(this, date, this._attempting);
    }
  }

  /**
   * What the client connected with.
   *
   * @returns {object} headers, time, address, xdomain, secure, issued, url, query, auth
   */
  get handshake() {
    this.#handshake ??= handshakeOf(this._connection, this.#asked);
    return this.#handshake;
  }

  /**
   * @returns {{address: string | undefined, transport: string}} the address of its client and the transport, for those
   *   who observe it
   */
  [DESCRIBE]() {
    const { snapshot, transport } = this._connection;
    return { address: snapshot.clientAddress, transport };
  }

  /** @returns {number} how many bytes of what its client has sent the socket keeps for `handshake`, about */
  get _handshakeSize() {
    const { auth, query = '' } = this.#asked;
    return sizeOf(auth) + query.length + this._connection.snapshot.size;
  }

  /**
   * Whatever the application wants to keep with the socket.
   *
   * @returns {unknown} what the application has assigned; an object otherwise
   */
  get data() {
    if (this.#data === NO_DATA) {
      this.#data = {};
    }
    return this.#data;
  }

  set data(data) {
    this.#data = data;
  }

  /**
   * The rooms the socket is in, its own id among them.
   *
   * @returns {Set<unknown>} a copy
   */
  get rooms() {
    return new Set(this.nsp._custom?.roomsOf(this) ?? this.#successor?.rooms ?? this.#inRooms());
  }

  /**
   * The socket that has come in the place of this one, which an application may still have: to Socket.IO, both
   * are the same id.
   *
   * @returns {Socket | undefined} the socket, if this one has ended and its state was recovered
   */
  get #successor() {
    return this.connected ? undefined : this._recovery?.successor;
  }

  /** @returns {boolean} the opposite of `connected` */
  get disconnected() {
    return !this.connected;
  }

  /** @returns {Map<number, Function>} callbacks that wait for an acknowledgement, by id; adapters add to them */
  get acks() {
    return this.#callbacks;
  }

  set acks(acks) {
    if (acks instanceof Map) {
      this.#acks = acks;
    } else {
      assign(this, 'acks', acks);
    }
  }

  /** @returns {Map<number, Function>} callbacks that wait for an acknowledgement, by id */
  get #callbacks() {
    this.#acks ??= new Map();
    return this.#acks;
  }

  /**
   * Emits an event to the client; a function as last argument is called with what the client
   * acknowledges with, after an error or null if there is a timeout.
   *
   * @param {string} event its name
   * @param {...unknown} args its arguments
   * @returns {boolean} true
   * @throws {ReservedEventError} if the name is an event of the socket itself
   * @throws {UnsendableValueError} if an argument cannot be sent
   */
  emit(event, ...args) {
    if (isOfEmitter(event)) {
      return Reflect.apply(emitLocally, this, [event, ...args]);
    }
    const packet = [eventName(event), ...args];
    const flags = this.#flags;
    this.#flags = NO_FLAGS;
    const successor = this.#successor;
    // What a muted one does not get waits for it, like a broadcast.
    const sender = successor === undefined || successor._isMuted ? this : successor;
    sender.#emitPacket(flags, packet);
    return true;
  }

  /**
   * Emits an event to the client.
   *
   * @param {{volatile?: boolean, compress?: boolean, timeout?: number}} flags how
   * @param {unknown[]} packet the event's name and arguments, a function that takes the acknowledgement last
   * @returns {void}
   * @throws {UnsendableValueError} if an argument cannot be sent
   */
  #emitPacket(flags, packet) {
    const callback = typeof packet.at(-1) === 'function' ? packet.pop() : undefined;
    const ack = callback === undefined ? '' : this.nsp._nextAck();
    if (this._recovery !== undefined && ack === '' && this.#emitRecoverably(flags, packet)) {
      return;
    }
    if (this.connected) {
      if (this.#anyOutgoingListeners !== undefined) {
        this._notifyOutgoing(packet);
      }
      this.#commands.emit(this._number, ack, flags, packet);
    } else if (this.nsp._preConnectSockets.get(this.id) === this) {
      this._notifyOutgoing(packet);
      this.#early ??= [];
      this.#early.push([ack, flags, packet]);
    } else if (this.nsp._link.recovery === undefined) {
      // With recovery, an event is a broadcast to a room that nobody is in.
      this._notifyOutgoing(packet);
    }
    // After sending: if that throws, no callback waits for an answer.
    if (callback !== undefined) {
      this._awaitAck(
        ack,
        withTimeout(callback, flags.timeout, () => this.#callbacks.delete(ack)),
      );
    }
  }

  /**
   * Emits an event of this package, which is about this connection: it is not recovered after that.
   *
   * @param {string} event its name
   * @param {...unknown} args its arguments
   * @returns {boolean} true
   * @throws {UnsendableValueError} if an argument cannot be sent
   */
  [EMIT_OWN](event, ...args) {
    const recovery = this._recovery;
    this._recovery = undefined;
    try {
      return this.emit(event, ...args);
    } finally {
      this._recovery = recovery;
    }
  }

  /**
   * Emits an event so that it can be recovered.
   *
   * @param {{volatile?: boolean, compress?: boolean}} flags how
   * @param {unknown[]} packet the event's name and arguments
   * @returns {boolean} whether it is; otherwise it is to be emitted like any other
   * @throws {UnsendableValueError} if an argument cannot be sent
   */
  #emitRecoverably(flags, packet) {
    const recovery = this._recovery;
    if (flags.volatile || !(this.connected ? !this._isMuted : recovery.isPersisted)) {
      return false;
    }
    const isTold = this.connected && this.nsp._custom === undefined;
    if (this.#anyOutgoingListeners !== undefined && isTold) {
      this._notifyOutgoing(packet);
    }
    recovery.emit(flags, packet);
    return true;
  }

  /**
   * Emits an event and waits for the client to acknowledge it.
   *
   * @param {string} event its name
   * @param {...unknown} args its arguments
   * @returns {Promise<unknown>} what the client acknowledges with; rejected when the timeout is over
   */
  emitWithAck(event, ...args) {
    const hasTimeout = this.#flags.timeout !== undefined;
    return new Promise((resolve, reject) => {
      this.emit(event, ...args, (first, second) => {
        if (!hasTimeout) {
          resolve(first);
        } else if (first) {
          reject(first);
        } else {
          resolve(second);
        }
      });
    });
  }

  /**
   * Emits a `message` event.
   *
   * @param {...unknown} args its arguments
   * @returns {this} the socket
   */
  send(...args) {
    this.emit('message', ...args);
    return this;
  }

  /**
   * The same as `send`.
   *
   * @param {...unknown} args its arguments
   * @returns {this} the socket
   */
  write(...args) {
    return this.send(...args);
  }

  /**
   * Has the next event compressed or not, where compression was agreed on.
   *
   * @param {boolean} compress whether to
   * @returns {this} the socket
   */
  compress(compress) {
    this.#flags = { ...this.#flags, compress };
    return this;
  }

  /**
   * For code written for Socket.IO 2; it has no effect.
   *
   * @returns {this} the socket
   */
  get json() {
    return this;
  }

  /**
   * For code written for Socket.IO 2; it has no effect, as binary values are found anyway.
   *
   * @returns {this} the socket
   */
  binary() {
    return this;
  }

  /**
   * The next event may be dropped if the client has packets queued.
   *
   * @returns {this} the socket
   */
  get volatile() {
    this.#flags = { ...this.#flags, volatile: true };
    return this;
  }

  /**
   * How long the client may take to acknowledge the next event.
   *
   * @param {number} timeout ms
   * @returns {this} the socket
   * @throws {InvalidTimeoutError} if it is not a number of ms
   */
  timeout(timeout) {
    this.#flags = { ...this.#flags, timeout: checkedTimeout(timeout) };
    return this;
  }

  /**
   * Joins rooms.
   *
   * @param {unknown} room the room, or an array of several; any value is a room
   * @param {unknown} [callback] a function is called when the socket is there, as in Socket.IO 2; anything else is
   *   ignored, such as the index that `rooms.forEach(socket.join, socket)` passes
   * @returns {this | Promise<void>} the socket; with an adapter that takes its time, a promise
   */
  join(room, callback) {
    const done = functionOf(callback);
    const mayJoin = this.nsp._isLive(this) && (this.connected || !this.#isEnding);
    const { _custom: custom } = this.nsp;
    if (custom !== undefined && mayJoin) {
      return custom.join(this, roomsOf(room), done) ?? this;
    }
    for (const name of mayJoin ? roomsOf(room) : []) {
      // A listener of the adapter may end it meanwhile.
      if (!this._isIn(name) && this.nsp._isLive(this)) {
        this.#rooms ??= this.rooms;
        this.#rooms.add(name);
        if (name !== this.id) {
          const number = this.nsp._rooms.join(name);
          if (this.connected) {
            this.#commands.join(this._number, number);
          }
        }
        this.nsp.adapter._joined(name, this.id);
      }
    }
    if (done) {
      process.nextTick(done, null);
    }
    return this;
  }

  /**
   * Leaves a room.
   *
   * @param {unknown} room the room
   * @param {unknown} [callback] a function is called when the socket is out, as in Socket.IO 2; anything else is
   *   ignored
   * @returns {this | Promise<void>} the socket; with an adapter that takes its time, a promise
   */
  leave(room, callback) {
    const done = functionOf(callback);
    const { _custom: custom } = this.nsp;
    if (custom !== undefined) {
      return custom.leave(this, room, done) ?? this;
    }
    const successor = this.#successor;
    if (successor !== undefined) {
      successor.leave(room, done);
      return this;
    }
    if (this._isIn(room)) {
      this.#rooms ??= this.rooms;
      this.#rooms.delete(room);
      if (room !== this.id) {
        const number = this.nsp._rooms.leave(room);
        if (this.connected) {
          this.#commands.leave(this._number, number);
        }
      }
      this.nsp.adapter._left(room, this.id);
    }
    if (done) {
      process.nextTick(done, null);
    }
    return this;
  }

  /**
   * Leaves all rooms, its own id's among them.
   *
   * @returns {void}
   */
  leaveAll() {
    if (this.nsp._custom !== undefined) {
      this.nsp._custom.leaveAll(this);
      return;
    }
    for (const room of this.rooms) {
      this.leave(room);
    }
  }

  /**
   * The other sockets of the namespace: those that are not in the room of this socket's id.
   *
   * @returns {BroadcastOperator} to emit with
   */
  get broadcast() {
    const flags = this.#flags;
    this.#flags = NO_FLAGS;
    return new BroadcastOperator(this.nsp, new Set(), new Set([this.id]), { ...flags });
  }

  /**
   * Adds middleware, which runs for each event of the client before its listeners and methods.
   *
   * @param {(event: unknown[], next: (error?: Error) => void) => void} middleware calls `next()`, or
   *   `next(error)`: the event is dropped and the socket emits `error`
   * @returns {this} the socket
   */
  use(middleware) {
    this.#middleware ??= [];
    this.#middleware.push(middleware);
    return this;
  }

  /**
   * Calls a listener for every event of the client.
   *
   * @param {(event: string, ...args: unknown[]) => void} listener the listener
   * @returns {this} the socket
   */
  onAny(listener) {
    this.#anyListeners ??= [];
    this.#anyListeners.push(listener);
    return this;
  }

  /**
   * The same as `onAny`, before the listeners there are.
   *
   * @param {(event: string, ...args: unknown[]) => void} listener the listener
   * @returns {this} the socket
   */
  prependAny(listener) {
    this.#anyListeners ??= [];
    this.#anyListeners.unshift(listener);
    return this;
  }

  /**
   * Removes a listener for every event, or all of them.
   *
   * @param {Function} [listener] which
   * @returns {this} the socket
   */
  offAny(listener) {
    this.#anyListeners = without(this.#anyListeners, listener);
    return this;
  }

  /** @returns {Function[]} the listeners for every event */
  listenersAny() {
    return this.#anyListeners ?? [];
  }

  /**
   * Calls a listener for every event sent to the client.
   *
   * @param {(event: string, ...args: unknown[]) => void} listener the listener
   * @returns {this} the socket
   */
  onAnyOutgoing(listener) {
    this.#outgoing([...this.listenersAnyOutgoing(), listener]);
    return this;
  }

  /**
   * The same as `onAnyOutgoing`, before the listeners there are.
   *
   * @param {(event: string, ...args: unknown[]) => void} listener the listener
   * @returns {this} the socket
   */
  prependAnyOutgoing(listener) {
    this.#outgoing([listener, ...this.listenersAnyOutgoing()]);
    return this;
  }

  /**
   * Removes a listener for every event sent, or all of them.
   *
   * @param {Function} [listener] which
   * @returns {this} the socket
   */
  offAnyOutgoing(listener) {
    this.#outgoing(without(this.#anyOutgoingListeners, listener));
    return this;
  }

  /** @returns {Function[]} the listeners for every event sent */
  listenersAnyOutgoing() {
    return this.#anyOutgoingListeners ?? [];
  }

  /**
   * Ends the socket; its client sees `io server disconnect`.
   *
   * @param {boolean} [close=false] whether to end its whole connection, with all its namespaces
   * @returns {this} the socket
   */
  disconnect(close = false) {
    if (!this.connected || this.#isEnding) {
      return this;
    }
    const ending = close ? [...this._connection.sockets] : [this];
    for (const socket of ending) {
      this.#commands.disconnect(socket._number);
      guarded(() => socket._end('server namespace disconnect'));
    }
    if (close) {
      this._connection.requestClose();
    }
    return this;
  }

  /**
   * The socket joins its namespace.
   *
   * @returns {void}
   */
  _accept() {
    this.connected = true;
    const output = this.#commands;
    if (this._recovery === undefined) {
      output.accept(this._number);
    } else {
      this._recovery.accept(output);
    }
    if (this.#early !== undefined) {
      const early = this.#early;
      this.#early = undefined;
      for (const [ack, flags, packet] of early) {
        guarded(() => output.emit(this._number, ack, flags, packet));
      }
    }
    const { _custom: custom } = this.nsp;
    if (custom !== undefined) {
      guarded(() => custom.place(this, [this.id]));
      return;
    }
    // Middleware may have had it join that already, or the recovery of its state.
    const isInOwn = this.#rooms?.has(this.id) ?? false;
    if (this.#rooms !== undefined) {
      for (const room of this.#rooms) {
        if (room !== this.id) {
          output.join(this._number, this.nsp._rooms.numberOf(room));
        }
      }
      this.#rooms.add(this.id);
    }
    const { adapter } = this.nsp;
    if (!isInOwn && adapter.listenerCount('join-room') + adapter.listenerCount('create-room') > 0) {
      guarded(() => adapter._joined(this.id, this.id));
    }
  }

  /**
   * Middleware refused the socket.
   *
   * @param {unknown} error why; the client gets its message and data
   * @returns {void}
   */
  _refuse(error) {
    const { message, data } = Object(error);
    const reason = this._connection.protocol === 3 ? data || message : { message, data };
    this.#commands.refuse(this._number, reason);
    // It joins no room any more.
    this.#isEnding = true;
    this.leaveAll();
    clearExpires(this);
    this.#uncountOutgoing();
    this.nsp._forget(this);
  }

  /**
   * Waits for the client to acknowledge.
   *
   * @param {number} ack the id
   * @param {Function | undefined} callback called with what it acknowledges with; `undefined` waits
   *   no more
   * @returns {void}
   */
  _awaitAck(ack, callback) {
    if (callback === undefined) {
      this.#acks?.delete(ack);
    } else {
      this.#callbacks.set(ack, callback);
    }
  }

  /**
   * @param {Set<unknown>} rooms rooms
   * @returns {boolean} whether the socket is in any of them
   */
  _isInAny(rooms) {
    for (const room of rooms) {
      if (this._isIn(room)) {
        return true;
      }
    }
    return false;
  }

  /**
   * Calls the listeners for what is sent, for adapters.
   *
   * @param {{data: unknown[]}} packet the event
   * @returns {void}
   */
  notifyOutgoingListeners({ data }) {
    if (this.#anyOutgoingListeners !== undefined && !this._isMuted) {
      this._notifyOutgoing(data);
    }
  }

  /**
   * Sends a packet to the client, for adapters that are based on `socket.io-adapter` 1 or 2.2.
   *
   * @param {object | import('./adapters/encoder').EncodedPacket[]} packet an event, or what the encoder of
   *   the server has made of it
   * @param {{volatile?: boolean, compress?: boolean, preEncoded?: boolean}} [options] how
   * @returns {void}
   */
  packet(packet, options = {}) {
    const [encoded] = options.preEncoded
      ? packet
      : this.nsp.server.encoder.encode({ ...packet, nsp: this.nsp.name });
    this._deliver(encoded, options);
  }

  /**
   * Sends what an adapter broadcasts.
   *
   * @param {import('./adapters/encoder').EncodedPacket} packet the event
   * @param {{volatile?: boolean, compress?: boolean}} flags how
   * @returns {void}
   */
  _deliver({ event, ack }, flags) {
    if (event === undefined || !this.connected) {
      return;
    }
    if (!this._isMuted) {
      this.#commands?.deliver(event, this.nsp._index, ack, flags, this._number);
    } else if (ack !== '') {
      this.nsp._custom?.passBy(this);
    } else if (this._holds(ack) && !flags.volatile) {
      this._recovery.hold(event);
    }
  }

  /**
   * @param {number | ''} ack the id that clients are to acknowledge a broadcast with, `''` for none
   * @returns {boolean} whether a broadcast waits that an adapter sends while the socket is muted
   */
  _holds(ack) {
    return ack === '' && this._recovery?.isWaiting === true;
  }

  /**
   * Calls the listeners for what is sent.
   *
   * @param {unknown[]} packet the event's name and arguments
   * @returns {void}
   */
  _notifyOutgoing(packet) {
    for (const listener of this.listenersAnyOutgoing()) {
      Reflect.apply(listener, this, packet);
    }
  }

  /**
   * Puts the methods of a LoopbackSocket in the place of those it bound before.
   *
   * @param {number} instance the number of the LoopbackSocket
   * @param {import('../auth/authenticate').BoundMethod[]} methods the methods
   * @param {unknown} credentials what handlers get
   * @returns {void}
   */
  _bind(instance, methods, credentials) {
    this.#calls ??= new MethodCalls(this);
    this.#calls.bind(instance, methods, credentials);
    methodsBound(this, instance);
  }

  /**
   * What each LoopbackSocket has bound, by its number.
   *
   * @returns {({credentials: unknown, methods: import('../auth/authenticate').BoundMethod[]} |
   *   undefined)[]} none before the client has authenticated
   */
  get _bound() {
    return this.#calls?.bound ?? [];
  }

  /** @returns {import('../subscriptions/socket-subscriptions').SocketSubscriptions | undefined} its
   *   subscriptions, if it has ever had one */
  get _subscriptions() {
    return this.#calls?.subscriptions;
  }

  /**
   * The listeners of an event: those that were added and, behind them, as they run, the methods of
   * that name and what begins an attempt to authenticate.
   *
   * @param {string | symbol} event which
   * @returns {Function[]} a copy
   */
  listeners(event) {
    return [...super.listeners(event), ...ownFunctions(this, event)];
  }

  /**
   * The same as `listeners`, those of `once` as they are wrapped.
   *
   * @param {string | symbol} event which
   * @returns {Function[]} a copy
   */
  rawListeners(event) {
    return [...super.rawListeners(event), ...ownFunctions(this, event)];
  }

  /**
   * How many listeners an event has, methods included.
   *
   * @param {string | symbol} event which
   * @param {Function} [listener] counts only how often it is this one
   * @returns {number} how many
   */
  listenerCount(event, listener) {
    const count = super.listenerCount(event, listener);
    return listener === undefined || listener === null
      ? count + countOwn(this, event)
      : count + ownFunctions(this, event).filter((own) => own === listener).length;
  }

  /**
   * The events that have listeners, methods included.
   *
   * @returns {(string | symbol)[]} a copy
   */
  eventNames() {
    return [...new Set([...super.eventNames(), ...ownNames(this)])];
  }

  /**
   * Removes a listener. That of a method, as `listeners()` gives it, takes the method away from the
   * socket until its client authenticates again.
   *
   * @param {string | symbol} event the event
   * @param {Function} listener the listener
   * @returns {this} the socket
   */
  removeListener(event, listener) {
    return removeOwn(this, event, listener) ? this : super.removeListener(event, listener);
  }

  /**
   * Removes the listeners of an event, or of all: methods are listeners too.
   *
   * @param {string | symbol} [event] which
   * @returns {this} the socket
   */
  removeAllListeners(event) {
    removeAllOwn(this, arguments.length > 0 ? [event] : ownNames(this));
    return arguments.length > 0 ? super.removeAllListeners(event) : super.removeAllListeners();
  }

  /**
   * An event of the client.
   *
   * @param {unknown[]} payload the event's name and arguments
   * @param {number | null} ack the client's acknowledgement id, `null` if it asks for none
   * @param {number} run the method to run, below 0 for none
   * @param {boolean} isLast whether the client left right behind it: then listeners do not see it
   *   any more, as in Socket.IO 4; a method runs all the same
   * @param {(event: unknown[], ackState: import('./method-calls').AckState) => void} [runRest] runs what
   *   else runs for the event
   * @returns {void}
   */
  _onEvent(payload, ack, run, isLast, runRest) {
    if (!this.connected) {
      return;
    }
    if (
      this.#middleware === undefined &&
      this.#anyListeners === undefined &&
      (isLast || super.listenerCount(payload[0]) === 0)
    ) {
      const ackState = runRest === undefined ? undefined : { isAnswered: false };
      if (run >= 0) {
        this._call(payload, ack, run, ackState);
      }
      runRest?.(payload, ackState);
      return;
    }
    const event = payload.slice();
    const ackState = { isAnswered: false };
    if (ack !== null) {
      event.push((...values) => this.#acknowledge(ack, values, ackState));
    }
    for (const listener of this.listenersAny().slice()) {
      guarded(() => Reflect.apply(listener, this, event));
    }
    this.#runMiddleware(event, () => this.#dispatch(event, payload, ack, run, ackState, runRest));
  }

  /**
   * Runs a method that the session allows.
   *
   * @param {unknown[]} payload the event's name and arguments; those behind the first are ignored
   * @param {number | null} ack the client's acknowledgement id, `null` if it asks for none
   * @param {number} run the method, and whose
   * @param {import('./method-calls').AckState} [ackState] whether it has been answered, if others may
   *   answer too
   * @returns {void}
   */
  _call(payload, ack, run, ackState) {
    this.#calls?.run(payload, ack, run, ackState);
  }

  /**
   * Runs a method, as the application does by calling its listener.
   *
   * @param {number} instance the number of its LoopbackSocket
   * @param {import('../auth/authenticate').BoundMethod} method the method
   * @param {unknown[]} args the credentials, what a client sends with a call and behind that, and a
   *   function that answers
   * @returns {void}
   */
  _runBound(instance, method, ...args) {
    this.#calls?.runBound(instance, method, ...args);
  }

  /**
   * @param {string} event an event
   * @returns {boolean} whether the application has added a listener for it
   */
  _isListenedTo(event) {
    return super.listenerCount(event) > 0;
  }

  /**
   * The client acknowledges an event.
   *
   * @param {number} ack the id it was sent with
   * @param {unknown[]} args what it acknowledges with
   * @returns {void}
   */
  _onAck(ack, args) {
    const callback = this.#acks?.get(ack);
    if (callback !== undefined) {
      this.#acks.delete(ack);
      Reflect.apply(callback, this, args);
    }
  }

  /**
   * What the client sent cannot be read, or middleware dropped it: emits `error`, if that has listeners.
   *
   * @param {unknown} error what is wrong
   * @returns {void}
   */
  _onError(error) {
    if (super.listenerCount('error') > 0) {
      Reflect.apply(emitLocally, this, ['error', error]);
    }
  }

  /**
   * Counts attempts to authenticate that fail or are under way.
   *
   * @param {number} instance the number of a LoopbackSocket
   * @param {number} by how many more
   * @returns {boolean} whether they are too many
   */
  _countAttempts(instance, by) {
    this.#attempts ??= new Array(this._instances.length).fill(0);
    this.#attempts[instance] += by;
    return this.nsp._limits[instance].isExceededBy(this.#attempts[instance]);
  }

  /**
   * @param {() => void} settled called when the socket is pending no more: it has authenticated, or
   *   ended
   * @returns {void}
   */
  _onSettled(settled) {
    const before = this.#settled;
    this.#settled =
      before === undefined
        ? settled
        : () => {
            before();
            settled();
          };
  }

  /**
   * @returns {void}
   */
  #settle() {
    const settled = this.#settled;
    this.#settled = undefined;
    settled?.();
  }

  /**
   * Ends the socket on this side.
   *
   * @param {string} reason why, in Socket.IO's words
   * @param {object} [details] more about it
   * @returns {void}
   */
  _end(reason, details) {
    if (this.#isEnding) {
      return;
    }
    if (!this.connected) {
      this.#isEnding = true;
      clearExpires(this);
      this._recovery?.abandon();
      this.#leaveRooms(false);
      this.#uncountOutgoing();
      this.nsp._forget(this);
      return;
    }
    this.#isEnding = true;
    this.#settle();
    disconnected(this, reason);
    guarded(() => Reflect.apply(emitLocally, this, ['disconnecting', reason, details]));
    if (this._recovery !== undefined) {
      guarded(() => this._recovery.end(reason, details));
    }
    clearExpires(this);
    this._attempting = undefined;
    this.connected = false;
    this.#leaveRooms(true);
    this.#acks = undefined;
    this.#calls?.clear();
    this.#calls = undefined;
    this.#uncountOutgoing();
    this.nsp._forget(this);
    Reflect.apply(emitLocally, this, ['disconnect', reason, details]);
  }

  /**
   * @param {boolean} isMuted whether broadcasts are to pass the socket by
   * @returns {void}
   */
  _mute(isMuted) {
    // A socket that has not been accepted gets nothing before that.
    const mayChange = isMuted || !this.connected || (this._recovery?.unmute() ?? true);
    if (this._isMuted !== isMuted && mayChange) {
      this._isMuted = isMuted;
      this.#commands.mute(this._number, isMuted);
    }
  }

  /**
   * Runs the middleware for an event.
   *
   * @param {unknown[]} event the event's name and arguments, which middleware may change
   * @param {() => void} done called when all let it pass
   * @returns {void}
   */
  #runMiddleware(event, done) {
    const middleware = this.#middleware?.slice() ?? [];
    const step = (i) => {
      if (i === middleware.length) {
        done();
        return;
      }
      guarded(() =>
        middleware[i](event, (error) => {
          if (error) {
            // Not in a later tick: `error` is emitted before the client's next event.
            guarded(() => this._onError(error));
          } else {
            step(i + 1);
          }
        }),
      );
    };
    step(0);
  }

  /**
   * Hands an event to its listeners and then to its method: a listener that acknowledges at once is
   * always first, as in the original, where a method starts when all listeners have run.
   *
   * @param {unknown[]} event the event as the listeners get it, acknowledgement and all
   * @param {unknown[]} payload the event as it came
   * @param {number | null} ack the client's acknowledgement id, `null` if it asks for none
   * @param {number} run the method to run, below 0 for none
   * @param {import('./method-calls').AckState} ackState whether it has been acknowledged
   * @param {(event: unknown[], ackState: import('./method-calls').AckState) => void} [runRest] runs what
   *   else runs for the event
   * @returns {void}
   */
  #dispatch(event, payload, ack, run, ackState, runRest) {
    if (!this.connected) {
      return;
    }
    const [name, ...args] = event;
    for (const listener of super.rawListeners(name)) {
      guarded(() => {
        const returned = Reflect.apply(listener, this, args);
        if (returned && EventEmitter.captureRejections) {
          this.#captureRejection(returned, name, args);
        }
      });
    }
    const bare = ack === null ? event : event.slice(0, -1);
    if (name !== payload[0]) {
      this.#calls?.runNamed(bare, ack, ackState);
      return;
    }
    if (run >= 0) {
      this._call(bare, ack, run, ackState);
    }
    runRest?.(bare, ackState);
  }

  /**
   * Takes the rejection of an async listener, as Node's emitters do with `captureRejections`: it goes to the socket's
   * method `Symbol.for('nodejs.rejection')`, or without one, the socket emits `error`. As in Socket.IO, that is sent to
   * the client.
   *
   * @param {unknown} returned what the listener returned
   * @param {string} name the event's name
   * @param {unknown[]} args what the listener was called with
   * @returns {void}
   */
  #captureRejection(returned, name, args) {
    const capture = (error) => {
      const own = this[captureRejectionSymbol];
      if (typeof own === 'function') {
        Reflect.apply(own, this, [error, name, ...args]);
      } else {
        this.emit('error', error);
      }
    };
    try {
      const { then } = returned;
      if (typeof then === 'function') {
        // In a later tick: what is thrown there must not become another rejection.
        Reflect.apply(then, returned, [undefined, (error) => process.nextTick(capture, error)]);
      }
    } catch (error) {
      // Of an object that is no promise.
      this.emit('error', error);
    }
  }

  /**
   * The application acknowledges an event itself.
   *
   * @param {number} ack the client's acknowledgement id
   * @param {unknown[]} args what the application says
   * @param {import('./method-calls').AckState} ackState whether it has been acknowledged
   * @returns {void}
   * @throws {UnsendableValueError} if a value cannot be sent
   */
  #acknowledge(ack, args, ackState) {
    if (this.connected && !ackState.isAnswered) {
      this.#commands.answer(this._number, ack, args);
      ackState.isAnswered = true;
    }
  }

  /**
   * @param {unknown} room a room
   * @returns {boolean} whether the socket is in it
   */
  _isIn(room) {
    const { _custom: custom } = this.nsp;
    if (custom !== undefined) {
      return custom.roomsOf(this).has(room);
    }
    return this.#rooms === undefined ? this.connected && room === this.id : this.#rooms.has(room);
  }

  /** @returns {boolean} whether it has joined a room yet: that of its own id when it is accepted */
  get _hasRooms() {
    return this.connected || this.#rooms !== undefined;
  }

  /**
   * @returns {Iterable<unknown>} the rooms the socket is in
   */
  #inRooms() {
    return this.#rooms ?? (this.connected ? [this.id] : []);
  }

  /**
   * Leaves all rooms, now that the native server has forgotten the socket.
   *
   * @param {boolean} wasConnected whether it was of its namespace
   * @returns {void}
   */
  #leaveRooms(wasConnected) {
    const { nsp } = this;
    if (nsp._custom !== undefined) {
      guarded(() => nsp._custom.leaveAll(this));
      return;
    }
    const rooms = this.#rooms ?? (wasConnected ? [this.id] : []);
    this.#rooms = undefined;
    const { adapter } = nsp;
    const hasListeners =
      adapter.listenerCount('leave-room') + adapter.listenerCount('delete-room') > 0;
    for (const room of rooms) {
      if (room !== this.id) {
        nsp._rooms.leave(room);
      }
      if (hasListeners) {
        guarded(() => adapter._left(room, this.id));
      }
    }
  }

  /**
   * Takes the socket out of its rooms, so that another adapter can put it back into them.
   *
   * @returns {Set<unknown>} the rooms
   */
  _takeRooms() {
    const { rooms, nsp } = this;
    if (nsp._custom === undefined) {
      for (const room of rooms) {
        if (room !== this.id) {
          const number = nsp._rooms.leave(room);
          if (this.connected) {
            this.#commands.leave(this._number, number);
          }
        }
      }
      this.#rooms = undefined;
    }
    return rooms;
  }

  /**
   * @param {Function[]} [listeners] the listeners for what is sent
   * @returns {void}
   */
  #outgoing(listeners = []) {
    const had = this.#anyOutgoingListeners !== undefined;
    this.#anyOutgoingListeners = listeners.length > 0 ? listeners : undefined;
    const has = this.#anyOutgoingListeners !== undefined;
    // One that has ended counts no more.
    if (this.nsp._isLive(this)) {
      this.nsp._outgoingListeners += Number(has) - Number(had);
    }
  }

  /**
   * The socket ends: broadcasts have no more to do for its listeners, which it keeps for what the application emits
   * on it.
   *
   * @returns {void}
   */
  #uncountOutgoing() {
    if (this.#anyOutgoingListeners !== undefined && this.nsp._isLive(this)) {
      this.nsp._outgoingListeners -= 1;
    }
  }
}

reserveEmitterEvents(Socket.prototype);

makeAssignable(Socket.prototype, ['adapter', 'client', 'handshake', 'recovered', 'server']);

delegateOperators(Socket.prototype, (socket) => socket.broadcast, ['to', 'in', 'except', 'local']);

/**
 * @param {Function[]} [listeners] listeners
 * @param {Function} [listener] the one to leave out, once; all if left out
 * @returns {Function[] | undefined} those that remain
 */
function without(listeners, listener) {
  const at = listeners?.indexOf(listener) ?? -1;
  if (listener === undefined) {
    return undefined;
  }
  return at < 0 ? listeners : listeners.toSpliced(at, 1);
}

/**
 * @param {unknown} value what may be a callback
 * @returns {Function | undefined} the callback, if it is one
 */
function functionOf(value) {
  return typeof value === 'function' ? value : undefined;
}

module.exports = { Socket };
