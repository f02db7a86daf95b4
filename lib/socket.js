'use strict';

/**
 * A client of the native server, in one namespace.
 */

const { EventEmitter } = require('events');
const { BroadcastOperator, eventName, roomNames } = require('./broadcast');
const { handshakeOf } = require('./handshake');
const { invoke } = require('./invoke');
const { InvalidCallbackError } = require('./errors');

const { emit: emitLocally } = EventEmitter.prototype;

/** Events that Node's emitters emit themselves, to listeners of theirs. */
const EMITTER_EVENTS = new Set(['newListener', 'removeListener']);

class Socket extends EventEmitter {
  #number;
  #auth = undefined;
  #rooms;
  #data;
  #handshake;
  #request;
  /** Callbacks of events that the client is to acknowledge, by id. */
  #acks;
  /** What each LoopbackSocket bound at the last authentication: `{credentials, methods}`. */
  #bound;
  /** How many listeners of the application stand before the method of a name, if any do. */
  #positions;

  /**
   * @param {import('./namespace').Namespace} nsp its namespace
   * @param {number} number its number on the native server
   * @param {object} connection its connection
   * @param {{id: string, auth?: object, query?: string}} request what the client asked with
   */
  constructor(nsp, number, connection, request) {
    super();
    this.nsp = nsp;
    /** What the client knows as its `socket.id`. */
    this.id = request.id;
    /** Whether the socket is of its namespace. */
    this.connected = true;
    this._connection = connection;
    this._held = false;
    this.#number = number;
    this.#request = request;
    this.#rooms = new Set([request.id]);
  }

  /**
   * Whether the client has authenticated with the LoopbackSocket that serves this namespace;
   * `undefined` if none does. An application that vouches for a socket sets it to true, and no
   * timeout ends the socket any more.
   *
   * @returns {boolean | undefined} the state
   */
  get auth() {
    return this.#auth;
  }

  set auth(value) {
    const vouched = Boolean(value) && !this.#auth;
    this.#auth = value;
    if (vouched && this.connected) {
      this.nsp.server._native.exempt(this.#number);
      this._connection.updateHolds();
    }
  }

  /**
   * Whether the socket waits for its client to authenticate.
   *
   * @returns {boolean} if so, broadcasts pass it by
   */
  get _isPending() {
    return this.nsp._instances.length > 0 && !this.#auth;
  }

  /**
   * What the client connected with.
   *
   * @returns {object} headers, time, address, xdomain, secure, issued, url, query, auth
   */
  get handshake() {
    this.#handshake ??= handshakeOf(this._connection, this.#request);
    return this.#handshake;
  }

  /**
   * The HTTP request that opened the connection.
   *
   * @returns {import('http').IncomingMessage} the request
   */
  get request() {
    return this._connection.request;
  }

  /**
   * Whatever the application wants to keep with the socket.
   *
   * @returns {object} an object of the application's
   */
  get data() {
    this.#data ??= {};
    return this.#data;
  }

  set data(data) {
    this.#data = data;
  }

  /**
   * The rooms the socket is in, its own id among them.
   *
   * @returns {Set<string>} a copy
   */
  get rooms() {
    return new Set(this.#rooms);
  }

  /**
   * The opposite of `connected`.
   *
   * @returns {boolean} whether the socket has ended
   */
  get disconnected() {
    return !this.connected;
  }

  /**
   * Emits an event to the client; a function as last argument is called with what the client
   * acknowledges with.
   *
   * @param {string} event its name
   * @param {...unknown} args its arguments
   * @returns {boolean} true
   * @throws {ReservedEventError} if the name is an event of the socket itself
   * @throws {UnsendableValueError} if an argument cannot be sent
   */
  emit(event, ...args) {
    if (EMITTER_EVENTS.has(event)) {
      return Reflect.apply(emitLocally, this, [event, ...args]);
    }
    const packet = [eventName(event), ...args];
    let ack = '';
    if (typeof packet[packet.length - 1] === 'function') {
      const callback = packet.pop();
      ack = this.nsp._nextAck();
      this.#acks ??= new Map();
      this.#acks.set(ack, callback);
    }
    if (this.connected) {
      this.nsp.server._output.emit(this.#number, ack, packet);
    }
    return true;
  }

  /**
   * Joins rooms.
   *
   * @param {string | string[]} room the room, or several
   * @param {() => void} [done] called when the socket is there, as in Socket.IO 2
   * @returns {this} the socket
   */
  join(room, done) {
    checkCallback(done);
    for (const name of roomNames(room)) {
      if (this.connected && !this.#rooms.has(name)) {
        this.#rooms.add(name);
        this.nsp.server._output.join(this.#number, name);
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
   * @param {string} room the room
   * @param {() => void} [done] called when the socket is out, as in Socket.IO 2
   * @returns {this} the socket
   */
  leave(room, done) {
    checkCallback(done);
    const name = String(room);
    if (this.#rooms.delete(name)) {
      this.nsp.server._output.leave(this.#number, name);
    }
    if (done) {
      process.nextTick(done, null);
    }
    return this;
  }

  /**
   * The other sockets of a room.
   *
   * @param {string | string[]} room the room, or several
   * @returns {BroadcastOperator} to emit with
   */
  to(room) {
    return this.broadcast.to(room);
  }

  /**
   * The same as `to`.
   *
   * @param {string | string[]} room the room, or several
   * @returns {BroadcastOperator} to emit with
   */
  in(room) {
    return this.broadcast.to(room);
  }

  /**
   * The other sockets that are not in a room.
   *
   * @param {string | string[]} room the room, or several
   * @returns {BroadcastOperator} to emit with
   */
  except(room) {
    return this.broadcast.except(room);
  }

  /**
   * The other sockets of the namespace.
   *
   * @returns {BroadcastOperator} to emit with
   */
  get broadcast() {
    return new BroadcastOperator(this.nsp, [], [], this.#number);
  }

  /**
   * Ends the socket; its client sees `io server disconnect`.
   *
   * @param {boolean} [close=false] whether to end its whole connection, with all its namespaces
   * @returns {this} the socket
   */
  disconnect(close = false) {
    if (!this.connected) {
      return this;
    }
    this.nsp.server._output.disconnect(this.#number, Boolean(close));
    const ending = close ? [...this._connection.sockets] : [this];
    for (const socket of ending) {
      socket._end('server namespace disconnect');
    }
    return this;
  }

  /**
   * Puts the methods of a LoopbackSocket in the place of those it bound before.
   *
   * @param {number} instance the number of the LoopbackSocket
   * @param {import('./authentication').BoundMethod[]} methods the methods
   * @param {unknown} credentials what handlers get
   * @returns {void}
   */
  _bind(instance, methods, credentials) {
    this.#bound ??= [];
    this.#bound[instance] = { credentials, methods };
    for (const event of this.eventNames()) {
      if (!this.#positions?.has(event) && methods.some(({ name }) => name === event)) {
        this.#positions ??= new Map();
        this.#positions.set(event, this.listenerCount(event));
      }
    }
  }

  /**
   * An event of the client: the application's listeners see it, and its method runs, in the order
   * in which they were registered.
   *
   * @param {unknown[]} payload the event's name and arguments
   * @param {number} call the call to acknowledge, -1 if nobody waits
   * @param {number} run the method to run, -1 for none
   * @returns {void}
   */
  _event(payload, call, run) {
    const name = payload[0];
    if (this.listenerCount(name) === 0) {
      if (run >= 0) {
        this._call(payload, call, run);
      } else {
        this.#forget(call);
      }
      return;
    }
    const listeners = this.rawListeners(name);
    const args = payload.slice(1);
    if (call >= 0) {
      args.push((...values) => this.#acknowledge(call, values));
    }
    const position = run < 0 ? 0 : (this.#positions?.get(name) ?? 0);
    for (let i = 0; i < position && i < listeners.length; i++) {
      this.#tell(listeners[i], args);
    }
    if (run >= 0) {
      this._call(payload, call, run);
    }
    for (let i = position; i < listeners.length; i++) {
      this.#tell(listeners[i], args);
    }
  }

  /**
   * Runs a method that the session allows.
   *
   * @param {unknown[]} payload the event's name and arguments; those behind the first are ignored
   * @param {number} call the call to answer, -1 if nobody waits
   * @param {number} run the method, and whose
   * @returns {void}
   */
  _call(payload, call, run) {
    const bound = this.#bound?.[Math.floor(run / METHODS)];
    const method = methodOf(bound, run % METHODS, payload[0]);
    if (method === undefined) {
      this.#forget(call);
      return;
    }
    const args = [this, bound.credentials, payload[1]];
    const settle =
      call < 0
        ? ignore
        : (failed, value) => this.#answer(call, failed ? { error: value } : { result: value });
    invoke(method.fn, method.self, args, settle);
  }

  /**
   * The client acknowledges an event.
   *
   * @param {number} ack the id it was sent with
   * @param {unknown[]} args what it acknowledges with
   * @returns {void}
   */
  _acknowledged(ack, args) {
    const callback = this.#acks?.get(ack);
    if (callback !== undefined) {
      this.#acks.delete(ack);
      Reflect.apply(callback, this, args);
    }
  }

  /**
   * Ends the socket on this side.
   *
   * @param {string} reason why, in Socket.IO's words
   * @param {object} [details] more about it
   * @returns {void}
   */
  _end(reason, details) {
    if (!this.connected) {
      return;
    }
    try {
      Reflect.apply(emitLocally, this, ['disconnecting', reason, details]);
    } finally {
      this.connected = false;
      this.#rooms.clear();
      this.#acks = undefined;
      this.#bound = undefined;
      this.#positions = undefined;
      this.nsp.server._forget(this, this.#number);
      Reflect.apply(emitLocally, this, ['disconnect', reason, details]);
    }
  }

  /**
   * @param {boolean} held whether broadcasts are to pass the socket by
   * @returns {void}
   */
  _hold(held) {
    if (this._held !== held) {
      this._held = held;
      this.nsp.server._output.hold(this.#number, held);
    }
  }

  /**
   * Answers a call; what cannot be sent is answered with an error that says so.
   *
   * @param {number} call the call
   * @param {object} answer `{result}` or `{error}`
   * @returns {void}
   */
  #answer(call, answer) {
    if (!this.connected) {
      return;
    }
    const { _output: output } = this.nsp.server;
    try {
      output.answer(this.#number, call, answer);
    } catch (error) {
      const { code, message } = error;
      output.answer(this.#number, call, { error: { code, message } });
    }
  }

  /**
   * The application acknowledges an event itself.
   *
   * @param {number} call the call
   * @param {unknown[]} args what with
   * @returns {void}
   * @throws {UnsendableValueError} if a value cannot be sent
   */
  #acknowledge(call, args) {
    if (this.connected) {
      this.nsp.server._output.acknowledge(this.#number, call, args);
    }
  }

  /**
   * Nobody will ever acknowledge this event: nothing is to wait for it.
   *
   * @param {number} call the call, -1 if nobody waits
   * @returns {void}
   */
  #forget(call) {
    if (call >= 0 && this.connected) {
      this.nsp.server._output.forget(this.#number, call);
    }
  }

  /**
   * Calls a listener of the application. What it throws reaches the process as from any emitter,
   * but neither another listener nor another client suffers for it.
   *
   * @param {Function} listener the listener
   * @param {unknown[]} args its arguments
   * @returns {void}
   */
  #tell(listener, args) {
    try {
      Reflect.apply(listener, this, args);
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  }
}

/** How many methods one LoopbackSocket can bind: what its number is multiplied by. */
const METHODS = 2 ** 24;

/**
 * @param {unknown} done what was given as a callback
 * @returns {void}
 * @throws {InvalidCallbackError} if it is neither a function nor left out
 */
function checkCallback(done) {
  if (done !== undefined && done !== null && typeof done !== 'function') {
    throw new InvalidCallbackError(done);
  }
}

/**
 * The method that a call is for. Its index is of the methods that were bound when it came; if the
 * client authenticated again meanwhile, others are bound now.
 *
 * @param {{methods: import('./authentication').BoundMethod[]}} [bound] what is bound now
 * @param {number} index the index
 * @param {unknown} name the name that was called
 * @returns {import('./authentication').BoundMethod | undefined} the method, if there still is one
 */
function methodOf(bound, index, name) {
  const method = bound?.methods[index];
  return method?.name === name
    ? method
    : bound?.methods.find((other) => other.name === String(name));
}

/** Takes an outcome nobody waits for. */
function ignore() {}

module.exports = { Socket };
