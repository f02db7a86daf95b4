'use strict';

/**
 * A namespace of the native server: its sockets, its middleware, and broadcasts to it.
 */

const { EventEmitter } = require('events');
const { AuthenticationLimits } = require('../auth/limits');
const { responsesTo } = require('./acks');
const { BroadcastOperator, delegateOperators } = require('./broadcast-operator');
const { BuiltInAdapter } = require('./adapters/built-in');
const { customAdapterOf } = require('./adapters/version-1');
const { connectedOf } = require('./connected');
const { InvalidOptionError, InvalidPacketError, ReservedEventError } = require('../errors');
const { isOfEmitter, reserveEmitterEvents, warnOf } = require('../events');
const { Rooms } = require('./rooms');
const { refuse } = require('./unsupported');

const protocol = require('../native/protocol');

const { ITEM_ACK_END, ITEM_ACK_START } = protocol.Layout;

/** How many values an event of another server may have: its name, its arguments, and a function that answers. */
const MAX_PACKET_LENGTH = protocol.Limits.MAX_ARGUMENTS + 2;

/** Events of the namespace itself. */
const OWN_EVENTS = new Set(['connect', 'connection', 'new_namespace']);

class Namespace extends EventEmitter {
  /** Middleware, in its order; the name is that of Socket.IO 4. */
  _fns = [];
  /** The LoopbackSockets that serve this namespace. The array is replaced, never changed: sockets keep it. */
  _instances = [];
  /** The limits that each of them was started with, in the same order. */
  _limits = [];
  /**
   * Existed when a LoopbackSocket began to serve the whole server, and was not left out: its
   * broadcasts reach clients that have authenticated in the default namespace.
   */
  _isGated = false;
  /** Whether it has no sockets of its own, and broadcasts to those of its children. */
  _isParent = false;
  /** How many sockets are about to join it, while an adapter restores their sessions. */
  _restoring = 0;
  /** How many sockets have listeners for what is sent to them. */
  _outgoingListeners = 0;
  /** The last acknowledgement id that was used. */
  _lastAck = -1;
  /** @type {import('./adapters/custom').CustomAdapter | undefined} the adapter that the application has set */
  _custom;
  /** Its rooms, by their names, while there is no such adapter. */
  _rooms = new Rooms();
  /** @type {import('./subscription-engine').SubscriptionEngine | undefined} delivers subscriptions */
  _subscriptionEngine;
  /** Its number on the native server, while that runs. */
  _index;
  /** @type {import('../native/link').NativeLink} the native server, while it runs */
  _link;
  /** @type {Map<number, import('./socket').Socket>} those of all namespaces, by number */
  #live;
  /** @type {BuiltInAdapter | undefined} made when it is asked for */
  #builtIn;
  #adapterClass;
  #connected;

  /**
   * @param {import('./namespaces').Namespaces} namespaces those of its server
   * @param {string} name its name, `/` or `/…`
   */
  constructor({ server, link, sockets, adapterClass }, name) {
    super();
    this.server = server;
    this.name = name;
    this._link = link;
    this.#live = sockets;
    /** @type {Map<string, import('./socket').Socket>} the connected sockets, by id */
    this.sockets = new Map();
    /** @type {Map<string, import('./socket').Socket>} those whose middleware is running */
    this._preConnectSockets = new Map();
    this.#adapterClass = adapterClass;
    this._initAdapter();
  }

  /**
   * The adapter that the application has set; without one, which rooms there are, for reading.
   *
   * @returns {object} `rooms` and `sids`, and what the adapter has besides
   */
  get adapter() {
    if (this._custom !== undefined) {
      return this._custom.instance;
    }
    this.#builtIn ??= new BuiltInAdapter(this);
    return this.#builtIn;
  }

  /**
   * Sets an adapter that was made for this namespace.
   *
   * @throws {InvalidOptionError} if it is none
   */
  set adapter(value) {
    if (typeof value?.broadcast !== 'function') {
      throw new InvalidOptionError('adapter', value, 'an adapter with a method `broadcast`');
    }
    this.#use(customAdapterOf(value, this));
  }

  /**
   * Makes an adapter of the server's class, if it has one. The sockets that there are stay in their rooms.
   *
   * @returns {void}
   */
  _initAdapter() {
    const AdapterClass = this.#adapterClass();
    if (AdapterClass !== undefined) {
      this.#use(customAdapterOf(new AdapterClass(this), this));
      try {
        this._custom.init();
      } catch (error) {
        this._closeAdapter().catch(warnOf);
        throw error;
      }
    }
  }

  /**
   * Closes the adapter.
   *
   * @returns {Promise<void>} when it is closed
   */
  async _closeAdapter() {
    await this._custom?.close();
  }

  /**
   * @param {import('./adapters/custom').CustomAdapter} custom the adapter to use from now on
   * @returns {void}
   */
  #use(custom) {
    const sockets = [...this._preConnectSockets.values(), ...this.sockets.values()];
    const rooms = sockets.map((socket) => socket._takeRooms());
    this._custom = custom;
    sockets.forEach((socket, i) => rooms[i].size > 0 && custom.place(socket, rooms[i]));
  }

  /**
   * The next acknowledgement id, as adapters count it.
   *
   * @returns {number} the id
   */
  get _ids() {
    return nextAck(this._lastAck);
  }

  set _ids(next) {
    this._lastAck = next - 1;
  }

  /**
   * Another server emits an event to this one. What is none is dropped with a warning: an exception would end up
   * in the adapter's client.
   *
   * @param {unknown[]} packet the event's name and arguments
   * @returns {void}
   */
  _onServerSideEmit(packet) {
    if (Array.isArray(packet) && packet.length > 0 && packet.length <= MAX_PACKET_LENGTH) {
      super.emit(...packet);
    } else {
      process.emitWarning(new InvalidPacketError(this.name));
    }
  }

  /**
   * The connected sockets by id, as Socket.IO 2 has them.
   *
   * @returns {Record<string, import('./socket').Socket>} to read; it shows those that there are at the moment
   */
  get connected() {
    this.#connected ??= connectedOf(this.sockets);
    return this.#connected;
  }

  /**
   * Calls back with the ids of the sockets, as Socket.IO 2 does; with an adapter those of all servers.
   *
   * @param {(error: unknown, ids?: string[]) => void} callback called in a later tick
   * @returns {this} the namespace
   */
  clients(callback) {
    if (this._custom === undefined) {
      process.nextTick(callback, null, [...this.sockets.keys()]);
    } else {
      this._custom.allSockets(new BroadcastOperator(this)).then(
        (ids) => process.nextTick(callback, null, [...ids]),
        (error) => process.nextTick(callback, error),
      );
    }
    return this;
  }

  /**
   * Adds middleware, which runs for each socket before that joins.
   *
   * @param {(socket: import('./socket').Socket, next: (error?: Error) => void) => void} middleware
   *   calls `next()`, or `next(error)` to refuse: the client gets `connect_error` with the error's
   *   `message` and `data`
   * @returns {this} the namespace
   */
  use(middleware) {
    this._fns.push(middleware);
    return this;
  }

  /**
   * Has a LoopbackSocket serve the sockets of this namespace.
   *
   * @param {import('../loopback-socket')} instance the LoopbackSocket
   * @param {import('../auth/start-options').StartOptions} options of `start()`
   * @returns {void}
   */
  [Symbol.for('loopback-socket.serve')](instance, options) {
    if (this._instances.includes(instance)) {
      return;
    }
    this._instances = [...this._instances, instance];
    this._limits = [...this._limits, new AuthenticationLimits(options, instance._definitions)];
    instance._definitions.addHost(this, authenticatedWith, figuresOf);
  }

  /**
   * Its broadcasts reach a client when that has authenticated in the default namespace.
   *
   * @returns {void}
   */
  _gate() {
    this._isGated = true;
  }

  /**
   * Has the middleware and the LoopbackSockets of its parent, as they are now.
   *
   * @param {Namespace} parent the parent
   * @returns {void}
   */
  _inherit(parent) {
    this._fns = parent._fns.slice();
    this._instances = parent._instances;
    this._limits = parent._limits;
  }

  /**
   * Emits an event to every socket that has authenticated.
   *
   * @param {string} event its name
   * @param {...unknown} args its arguments
   * @returns {boolean} true
   * @throws {ReservedEventError} if the name is an event of the socket itself
   */
  emit(event, ...args) {
    if (isOfEmitter(event)) {
      return super.emit(event, ...args);
    }
    return new BroadcastOperator(this).emit(event, ...args);
  }

  /**
   * Emits a `message` event to every socket.
   *
   * @param {...unknown} args its arguments
   * @returns {this} the namespace
   */
  send(...args) {
    this.emit('message', ...args);
    return this;
  }

  /**
   * The same as `send`.
   *
   * @param {...unknown} args its arguments
   * @returns {this} the namespace
   */
  write(...args) {
    return this.send(...args);
  }

  /**
   * Emits an event to the other servers of a cluster; without an adapter there are none.
   *
   * @param {string} event its name
   * @param {...unknown} args its arguments; a function as last one is called with `(error, answers)` when all
   *   have answered
   * @returns {boolean} true
   * @throws {ReservedEventError} if the name is an event of the namespace itself
   */
  serverSideEmit(event, ...args) {
    if (OWN_EVENTS.has(event)) {
      throw new ReservedEventError(event);
    }
    if (this._custom !== undefined) {
      this._custom.serverSideEmit([event, ...args]);
      return true;
    }
    const done = args.at(-1);
    if (typeof done === 'function') {
      process.nextTick(done, null, []);
    }
    return true;
  }

  /**
   * Emits an event to the other servers of a cluster and waits for them; without an adapter there are none.
   *
   * @param {string} event its name
   * @param {...unknown} args its arguments
   * @returns {Promise<unknown[]>} their answers; rejected, with `responses` so far, if one does not answer
   */
  serverSideEmitWithAck(event, ...args) {
    return responsesTo((done) => this.serverSideEmit(event, ...args, done));
  }

  /**
   * @returns {import('./socket').Socket[]} the connected sockets
   */
  _connected() {
    return [...this.sockets.values()];
  }

  /**
   * @param {{rooms: Set<unknown>, exceptRooms: Set<unknown>}} whom for whom: in any of these rooms,
   *   unless there are none, and in none of those
   * @param {number | ''} ack the id clients are to acknowledge with, `''` for none
   * @param {{volatile?: boolean}} flags how
   * @param {unknown[]} args the event's name and arguments
   * @returns {void}
   */
  _broadcast({ rooms, exceptRooms }, ack, flags, args) {
    const audience = {};
    if (rooms.size > 0) {
      this.#find(rooms, (audience.rooms = []), (audience.sockets = []));
    }
    if (exceptRooms.size > 0) {
      this.#find(exceptRooms, (audience.except = []), (audience.exceptSockets = []));
    }
    const { commands, recovery } = this._link;
    if (recovery === undefined || ack !== '' || flags.volatile) {
      commands?.broadcast(this._index, audience, ack, flags, args);
    } else if (commands !== undefined) {
      const event = recovery.store.add(commands, this.name, rooms, exceptRooms, args);
      commands.broadcastEncoded(this._index, audience, flags, event);
    }
  }

  /**
   * Waits for the acknowledgements of a broadcast.
   *
   * @param {number} ack the id it was sent with
   * @param {import('./acks').BroadcastAcks} acks what takes them
   * @returns {void}
   */
  _awaitAcks(ack, acks) {
    const { broadcasts, commands } = this._link;
    if (commands === undefined) {
      acks.sent([]);
    } else {
      broadcasts.add(this._index, ack, (receivers) =>
        acks.sent(receivers.map((number) => this.#live.get(number))),
      );
    }
  }

  /**
   * @param {Set<unknown>} rooms rooms
   * @param {number[]} numbers takes the numbers of those that somebody has joined
   * @param {number[]} sockets takes the numbers of the sockets whose own they are
   * @returns {void}
   */
  #find(rooms, numbers, sockets) {
    for (const room of rooms) {
      const number = this._rooms.numberOf(room);
      if (number !== undefined) {
        numbers.push(number);
      }
      const own = this.sockets.get(room);
      if (own?._isIn(room)) {
        sockets.push(own._number);
      }
    }
  }

  /**
   * @param {unknown} room a room
   * @returns {number} how many sockets are in it
   */
  _sizeOf(room) {
    return this._rooms.sizeOf(room) + (this._withId(room)?._isIn(room) ? 1 : 0);
  }

  /**
   * @param {unknown} id an id
   * @returns {import('./socket').Socket | undefined} its socket, if only one whose middleware is running
   */
  _withId(id) {
    return this.sockets.get(id) ?? this._preConnectSockets.get(id);
  }

  /**
   * @returns {number} the next acknowledgement id: counted per namespace, from 0, without those of items of
   *   subscriptions
   */
  _nextAck() {
    this._lastAck = nextAck(this._lastAck);
    return this._lastAck;
  }

  /**
   * Runs the middleware for a socket. What it decides is done in the next tick, as in `socket.io`: not inside of
   * the last `next()`, whose caller may catch what listeners of the application throw.
   *
   * @param {import('./socket').Socket} socket the socket
   * @param {(error?: unknown) => void} done called once, with the error of the one that refuses
   * @returns {void}
   */
  _runMiddleware(socket, done) {
    const middleware = this._fns.slice();
    let decision;
    const decide = (error) => {
      if (decision === undefined) {
        decision = { error };
        process.nextTick(() => done(decision.error));
      } else {
        // Until then, one that has called `next()` may still refuse.
        decision.error ||= error;
      }
    };
    const step = (i) => {
      if (i === middleware.length) {
        decide();
        return;
      }
      let called = false;
      middleware[i](socket, (error) => {
        if (error) {
          decide(error);
        } else if (!called) {
          called = true;
          step(i + 1);
        }
      });
    };
    step(0);
  }

  /**
   * Emits an event of the namespace itself.
   *
   * @param {string} event the event
   * @param {unknown} subject what it is about
   * @returns {void}
   */
  _emitReserved(event, subject) {
    super.emit(event, subject);
  }

  /**
   * Emits `connect` and `connection`.
   *
   * @param {import('./socket').Socket} socket the socket
   * @returns {void}
   */
  _emitConnection(socket) {
    this._emitReserved('connect', socket);
    this._emitReserved('connection', socket);
  }

  /** @returns {boolean} whether a socket has listeners for every event sent */
  get _hasOutgoingListeners() {
    return this._outgoingListeners > 0;
  }

  /**
   * @param {import('./socket').Socket} socket a socket
   * @returns {boolean} whether the native server has it
   */
  _isLive(socket) {
    return this.#live.get(socket._number) === socket;
  }

  /**
   * A socket has ended on this side.
   *
   * @param {import('./socket').Socket} socket the socket
   * @returns {void}
   */
  _forget(socket) {
    if (this._isLive(socket)) {
      this.#live.delete(socket._number);
      this._remove(socket);
      socket._connection.remove(socket);
    }
  }

  /**
   * Removes a socket that has ended.
   *
   * @param {import('./socket').Socket} socket the socket
   * @returns {void}
   */
  _remove(socket) {
    this.sockets.delete(socket.id);
    this._preConnectSockets.delete(socket.id);
  }

  /**
   * A socket that was to join has not: removes the namespace, if it is one that ends when it has no sockets.
   *
   * @returns {void}
   */
  _dropIfEmpty() {}
}

reserveEmitterEvents(Namespace.prototype);
delegateOperators(Namespace.prototype, (namespace) => new BroadcastOperator(namespace));

// Members of Socket.IO before version 1, which version 2 or 3 removed.
refuse(Namespace.prototype, {
  set: "the options of new Server(), or the namespace's own events",
  get: "the options of new Server(), or the socket's data",
  configure: 'the options of new Server()',
  origins: 'the option `cors`',
  authorization: 'io.use((socket, next) => …)',
});

/**
 * @param {number} last an acknowledgement id
 * @returns {number} the one behind it, which is none of an item of a subscription
 */
function nextAck(last) {
  return last + 1 === ITEM_ACK_START ? ITEM_ACK_END : last + 1;
}

/**
 * @param {Namespace} namespace a namespace
 * @param {import('../loopback-socket')} instance a LoopbackSocket that serves it
 * @returns {Iterable<import('../calls/definitions').Authenticated>} its sockets that have authenticated with it
 */
function* authenticatedWith(namespace, instance) {
  for (const socket of namespace._connected()) {
    const bound = socket._bound[socket._instances.indexOf(instance)];
    if (bound !== undefined) {
      yield { socket, credentials: bound.credentials, subscriptions: socket._subscriptions };
    }
  }
}

/**
 * @param {Namespace} namespace a namespace
 * @param {import('../loopback-socket')} instance a LoopbackSocket that serves it
 * @returns {import('../calls/instance-metrics').HostFigures} what there is of its sockets
 */
function figuresOf(namespace, instance) {
  const sockets = { pending: 0, authenticated: 0, open: 0 };
  let subscriptions = 0;
  for (const socket of namespace._connected()) {
    const index = socket._instances.indexOf(instance);
    if (index >= 0) {
      if (socket._bound[index] !== undefined) {
        sockets.authenticated += 1;
      } else if (socket._isPending) {
        sockets.pending += 1;
      } else {
        sockets.open += 1;
      }
      subscriptions += socket._subscriptions?.countOf(instance) ?? 0;
    }
  }
  return { sockets, subscriptions };
}

module.exports = { Namespace };
