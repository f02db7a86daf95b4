'use strict';

/**
 * The audience of a broadcast, chosen step by step: `io.to('a').except('b').emit(…)`. Each step gives
 * a new operator, so an operator can be kept and used again.
 */

const { BroadcastAcks, responsesTo } = require('./acks');
const { checkedTimeout, eventName } = require('../events');

class BroadcastOperator {
  /**
   * @param {import('./namespace').Namespace} namespace where
   * @param {Set<unknown>} [rooms] in any of these rooms; none means the whole namespace
   * @param {Set<unknown>} [exceptRooms] in none of these rooms
   * @param {{volatile?: boolean, timeout?: number, compress?: boolean, local?: boolean,
   *   expectSingleResponse?: boolean}} [flags] how
   */
  constructor(namespace, rooms = new Set(), exceptRooms = new Set(), flags = {}) {
    this.namespace = namespace;
    this.rooms = rooms;
    this.exceptRooms = exceptRooms;
    this.flags = flags;
  }

  /** @returns {object} the adapter of its namespace, by which instrumentations find that out */
  get adapter() {
    return this.namespace.adapter;
  }

  /**
   * Also the sockets of a room.
   *
   * @param {unknown} room the room, or an array of several
   * @returns {BroadcastOperator} a new one
   */
  to(room) {
    return this.#with({ rooms: union(this.rooms, room) });
  }

  /**
   * The same as `to`.
   *
   * @param {unknown} room the room, or an array of several
   * @returns {BroadcastOperator} a new one
   */
  in(room) {
    return this.to(room);
  }

  /**
   * Not the sockets of a room.
   *
   * @param {unknown} room the room, or an array of several
   * @returns {BroadcastOperator} a new one
   */
  except(room) {
    return this.#with({ exceptRooms: union(this.exceptRooms, room) });
  }

  /**
   * Has the events compressed or not, where compression was agreed on.
   *
   * @param {boolean} compress whether to
   * @returns {BroadcastOperator} a new one
   */
  compress(compress) {
    return this.#with({ flags: { ...this.flags, compress } });
  }

  /**
   * For code written for Socket.IO 2; it has no effect.
   *
   * @returns {BroadcastOperator} itself
   */
  get json() {
    return this;
  }

  /**
   * For code written for Socket.IO 2; it has no effect, as binary values are found anyway.
   *
   * @returns {BroadcastOperator} itself
   */
  binary() {
    return this;
  }

  /**
   * The event may be dropped for a client that has packets queued.
   *
   * @returns {BroadcastOperator} a new one
   */
  get volatile() {
    return this.#with({ flags: { ...this.flags, volatile: true } });
  }

  /**
   * Only the sockets of this server: without an adapter there are no others.
   *
   * @returns {BroadcastOperator} a new one
   */
  get local() {
    return this.#with({ flags: { ...this.flags, local: true } });
  }

  /**
   * The same audience, since this object broadcasts already.
   *
   * @returns {BroadcastOperator} itself
   */
  get broadcast() {
    return this;
  }

  /**
   * How long clients may take to acknowledge what follows.
   *
   * @param {number} timeout ms
   * @returns {BroadcastOperator} a new one
   * @throws {InvalidTimeoutError} if it is not a number of ms
   */
  timeout(timeout) {
    return this.#with({ flags: { ...this.flags, timeout: checkedTimeout(timeout) } });
  }

  /**
   * Emits an event to the sockets of the audience that have authenticated. A function as
   * last argument is called with `(error, responses)` when every client has acknowledged, or when
   * the timeout is over.
   *
   * @param {string} event its name
   * @param {...unknown} args its arguments
   * @returns {boolean} true
   * @throws {ReservedEventError} if the name is an event of the socket itself
   * @throws {UnsendableValueError} if an argument cannot be sent
   */
  emit(event, ...args) {
    const packet = [eventName(event), ...args];
    const done = typeof packet.at(-1) === 'function' ? packet.pop() : undefined;
    const { namespace, flags } = this;
    if (namespace._custom !== undefined) {
      this.#emitByAdapter(namespace._custom, packet, done);
      return true;
    }
    if (done !== undefined && namespace._isParent) {
      // Asks those of the namespace itself.
      process.nextTick(done, null, []);
      return true;
    }
    if (namespace._hasOutgoingListeners) {
      // The adapter of a child of a parent namespace tells the listeners itself.
      for (const socket of this._localSockets()) {
        if (!socket._isMuted && socket.nsp._custom === undefined) {
          socket._notifyOutgoing(packet);
        }
      }
    }
    if (done === undefined) {
      namespace._broadcast(this, '', flags, packet);
      return true;
    }
    const ack = namespace._nextAck();
    namespace._broadcast(this, ack, flags, packet);
    namespace._awaitAcks(ack, new BroadcastAcks(ack, flags.timeout, done));
    return true;
  }

  /**
   * Emits an event to the audience and waits until every client has acknowledged.
   *
   * @param {string} event its name
   * @param {...unknown} args its arguments
   * @returns {Promise<unknown[]>} what each client acknowledged with; rejected, with `responses` so
   *   far, when the timeout is over
   */
  emitWithAck(event, ...args) {
    return responsesTo((done) => this.emit(event, ...args, done));
  }

  /**
   * Emits a `message` event.
   *
   * @param {...unknown} args its arguments
   * @returns {this} itself
   */
  send(...args) {
    this.emit('message', ...args);
    return this;
  }

  /**
   * The same as `send`.
   *
   * @param {...unknown} args its arguments
   * @returns {this} itself
   */
  write(...args) {
    return this.send(...args);
  }

  /**
   * The sockets of the audience, pending ones among them; with an adapter also those of the other servers.
   *
   * @returns {Promise<(import('./socket').Socket | import('./adapters/remote-socket').RemoteSocket)[]>} the
   *   sockets
   */
  async fetchSockets() {
    return this.namespace._custom?.fetchSockets(this) ?? this.#managed();
  }

  /**
   * The ids of the audience's sockets.
   *
   * @returns {Promise<Set<string>>} the ids
   */
  async allSockets() {
    const { _custom: custom } = this.namespace;
    if (custom !== undefined) {
      return custom.allSockets(this);
    }
    return new Set(this.#managed().map((socket) => socket.id));
  }

  /**
   * Makes the audience's sockets join rooms.
   *
   * @param {unknown} room the room, or an array of several
   * @returns {void}
   */
  socketsJoin(room) {
    const { _custom: custom } = this.namespace;
    if (custom !== undefined) {
      custom.addSockets(this, roomsOf(room));
      return;
    }
    this.#managed().forEach((socket) => socket.join(room));
  }

  /**
   * Makes the audience's sockets leave rooms.
   *
   * @param {unknown} room the room, or an array of several
   * @returns {void}
   */
  socketsLeave(room) {
    const { _custom: custom } = this.namespace;
    if (custom !== undefined) {
      custom.delSockets(this, roomsOf(room));
      return;
    }
    for (const socket of this.#managed()) {
      roomsOf(room).forEach((name) => socket.leave(name));
    }
  }

  /**
   * Disconnects the audience's sockets.
   *
   * @param {boolean} [close=false] whether to end their connections too
   * @returns {void}
   */
  disconnectSockets(close = false) {
    const { _custom: custom } = this.namespace;
    if (custom !== undefined) {
      custom.disconnectSockets(this, close);
      return;
    }
    this.#managed().forEach((socket) => socket.disconnect(close));
  }

  /**
   * Broadcasts to a single socket of another server.
   *
   * @param {string} id its id
   * @returns {BroadcastOperator} a new one
   */
  _toSocket(id) {
    return new BroadcastOperator(this.namespace, new Set([id]), new Set(), {
      expectSingleResponse: true,
    });
  }

  /**
   * @param {import('./adapters/custom').CustomAdapter} custom the adapter of the namespace
   * @param {unknown[]} packet the event's name and arguments
   * @param {Function} [done] called with the acknowledgements, if there are to be any
   * @returns {void}
   */
  #emitByAdapter(custom, packet, done) {
    if (done === undefined) {
      custom.broadcast(this, packet);
    } else {
      custom.broadcastWithAck(this, packet, done);
    }
  }

  /**
   * @param {object} changes what the new operator has different
   * @returns {BroadcastOperator} a new one
   */
  #with({ rooms = this.rooms, exceptRooms = this.exceptRooms, flags = this.flags }) {
    return new BroadcastOperator(this.namespace, rooms, exceptRooms, flags);
  }

  /**
   * @returns {import('./socket').Socket[]} those of the audience that management is for: in a parent namespace none, as
   *   in Socket.IO
   */
  #managed() {
    return this.namespace._isParent ? [] : this._localSockets();
  }

  /**
   * @returns {import('./socket').Socket[]} the sockets of the audience on this server, now
   */
  _localSockets() {
    const { rooms, exceptRooms } = this;
    return this.namespace
      ._connected()
      .filter(
        (socket) =>
          (rooms.size === 0 || socket._isInAny(rooms)) &&
          (exceptRooms.size === 0 || !socket._isInAny(exceptRooms)),
      );
  }
}

/**
 * @param {Set<unknown>} rooms rooms
 * @param {unknown} room a room to add, or an array of several
 * @returns {Set<unknown>} all of them
 */
function union(rooms, room) {
  return new Set([...rooms, ...roomsOf(room)]);
}

/**
 * @param {unknown} room a room, or an array of several; any value is one
 * @returns {unknown[]} the rooms
 */
function roomsOf(room) {
  return Array.isArray(room) ? room : [room];
}

/**
 * Gives a class the operators of a broadcast, each beginning a new one.
 *
 * @param {object} prototype the class's prototype
 * @param {(self: object) => BroadcastOperator | object} begin gives what to begin with
 * @param {string[]} [names] which; all of them if left out
 * @returns {void}
 */
function delegateOperators(prototype, begin, names = OPERATORS) {
  for (const name of names) {
    const { get } = Object.getOwnPropertyDescriptor(BroadcastOperator.prototype, name);
    const descriptor = get
      ? {
          get() {
            return begin(this)[name];
          },
        }
      : {
          value(...args) {
            return begin(this)[name](...args);
          },
          writable: true,
        };
    Object.defineProperty(prototype, name, { configurable: true, ...descriptor });
  }
}

const OPERATORS = [
  'to',
  'in',
  'except',
  'compress',
  'volatile',
  'local',
  'json',
  'binary',
  'timeout',
  'emitWithAck',
  'fetchSockets',
  'allSockets',
  'socketsJoin',
  'socketsLeave',
  'disconnectSockets',
];

module.exports = { BroadcastOperator, delegateOperators, roomsOf };
