'use strict';

/**
 * An adapter with the methods that `socket.io-adapter` 1 has: `socket.io-redis` up to version 5, and others
 * that were written for Socket.IO 1 and 2. It calls back where those of version 2 return something, knows
 * ids and rooms as keys of objects, and finds sockets in `namespace.connected`. Its base class writes by
 * `socket.packet()`, and makes one encoded packet for all receivers.
 *
 * It has no acknowledgements of broadcasts and tells of the sockets of other servers only their ids.
 */

const { CustomAdapter, optionsOf } = require('./custom');
const { UnsupportedApiError } = require('../../errors');
const { BINARY_EVENT_PACKET, EVENT_PACKET, warnOf } = require('../../events');
const { hasBinary } = require('../../native/attachments');

const VERSION_2 = 'an adapter for Socket.IO 4';

class Version1Adapter extends CustomAdapter {
  #nsp;
  /** @type {WeakMap<import('../socket').Socket, Set<unknown>>} which rooms each socket is in */
  #rooms = new WeakMap();

  /**
   * @param {object} instance the adapter, made for this namespace
   * @param {import('../namespace').Namespace} nsp the namespace
   */
  constructor(instance, nsp) {
    super(instance, nsp);
    this.#nsp = nsp;
  }

  /**
   * A socket joins rooms.
   *
   * @param {import('../socket').Socket} socket the socket
   * @param {Iterable<unknown>} rooms the rooms
   * @param {(error: unknown) => void} [done] called when it is there
   * @returns {void}
   */
  join(socket, rooms, done) {
    const joined = this.#rooms.get(socket) ?? new Set();
    const names = [...new Set(rooms)].filter((room) => !joined.has(room));
    if (names.length > 0) {
      this.instance.addAll(socket.id, names, done);
      this.#rooms.set(socket, joined);
      names.forEach((room) => joined.add(room));
    } else if (done) {
      process.nextTick(done, null);
    }
  }

  /**
   * A socket leaves a room.
   *
   * @param {import('../socket').Socket} socket the socket
   * @param {unknown} room the room
   * @param {(error: unknown) => void} [done] called when it is out
   * @returns {void}
   */
  leave(socket, room, done) {
    this.instance.del(socket.id, room, done);
    this.#rooms.get(socket)?.delete(room);
  }

  /**
   * A socket leaves all its rooms.
   *
   * @param {import('../socket').Socket} socket the socket
   * @returns {void}
   */
  leaveAll(socket) {
    this.instance.delAll(socket.id);
    this.#rooms.delete(socket);
  }

  /**
   * @param {import('../socket').Socket} socket a socket
   * @returns {Set<unknown>} its rooms
   */
  roomsOf(socket) {
    return this.#rooms.get(socket) ?? new Set();
  }

  /**
   * Broadcasts an event to all servers. Other servers leave out sockets by their ids only, so of a room
   * that is to be left out the sockets of this server are named.
   *
   * @param {Audience} audience for whom
   * @param {unknown[]} data the event's name and arguments
   * @returns {void}
   */
  broadcast(audience, data) {
    const { rooms, except, flags } = optionsOf(audience);
    const type = hasBinary(data) ? BINARY_EVENT_PACKET : EVENT_PACKET;
    this.instance.broadcast(
      { type, data },
      { rooms: [...rooms], except: this.#idsOf(except), flags: { ...flags } },
    );
  }

  /**
   * @throws {UnsupportedApiError} always
   */
  broadcastWithAck() {
    throw new UnsupportedApiError('acknowledgements of broadcasts with this adapter', VERSION_2);
  }

  /**
   * @throws {UnsupportedApiError} always
   */
  serverSideEmit() {
    throw new UnsupportedApiError('serverSideEmit() with this adapter', VERSION_2);
  }

  /**
   * @param {Audience} audience whom
   * @returns {Promise<import('../socket').Socket[]>} the sockets of this server
   */
  async fetchSockets(audience) {
    return audience._localSockets();
  }

  /**
   * @param {Audience} audience in which rooms
   * @returns {Promise<Set<string>>} the ids of the sockets of all servers
   */
  allSockets({ rooms }) {
    return new Promise((resolve, reject) => {
      this.instance.clients([...rooms], (error, ids) => {
        if (error) {
          reject(error);
          return;
        }
        try {
          resolve(new Set(ids));
        } catch (cause) {
          // It is the adapter that calls back.
          reject(cause);
        }
      });
    });
  }

  /**
   * @param {Audience} audience whose sockets join rooms, on all servers if the adapter can do that
   * @param {unknown[]} rooms the rooms
   * @returns {void}
   */
  addSockets(audience, rooms) {
    audience._localSockets().forEach((socket) => socket.join(rooms));
    this.#remote(audience, 'remoteJoin', (id) => {
      rooms.forEach((room) => this.instance.remoteJoin(id, room));
    });
  }

  /**
   * @param {Audience} audience whose sockets leave rooms, on all servers if the adapter can do that
   * @param {unknown[]} rooms the rooms
   * @returns {void}
   */
  delSockets(audience, rooms) {
    for (const socket of audience._localSockets()) {
      rooms.forEach((room) => socket.leave(room));
    }
    this.#remote(audience, 'remoteLeave', (id) => {
      rooms.forEach((room) => this.instance.remoteLeave(id, room));
    });
  }

  /**
   * @param {Audience} audience whose sockets are disconnected, on all servers if the adapter can do that
   * @param {boolean} close whether to end their connections too
   * @returns {void}
   */
  disconnectSockets(audience, close) {
    // Asked for before these sockets leave their rooms.
    this.#remote(audience, 'remoteDisconnect', (id) => this.instance.remoteDisconnect(id, close));
    audience._localSockets().forEach((socket) => socket.disconnect(close));
  }

  /**
   * Does something with the sockets of other servers.
   *
   * @param {Audience} audience whom
   * @param {string} method the method of the adapter that does it
   * @param {(id: string) => void} act does it to a socket
   * @returns {void}
   */
  #remote(audience, method, act) {
    if (audience.flags.local || typeof this.instance[method] !== 'function') {
      return;
    }
    const { exceptRooms } = audience;
    const nobody = Promise.resolve(new Set());
    const ids = this.allSockets(audience);
    const except = exceptRooms.size > 0 ? this.allSockets({ rooms: exceptRooms }) : nobody;
    Promise.all([ids, except])
      .then(([all, excepted]) => {
        for (const id of all) {
          if (!excepted.has(id) && !this.#nsp.sockets.has(id)) {
            act(id);
          }
        }
      })
      .catch(warnOf);
  }

  /**
   * @param {Set<unknown>} rooms rooms, or ids of sockets
   * @returns {unknown[]} these, and the ids of the sockets of this server that are in any of them
   */
  #idsOf(rooms) {
    const ids = new Set(rooms);
    const isOwn = (room) => this.#nsp.sockets.has(room);
    if (![...rooms].every(isOwn)) {
      for (const socket of this.#nsp._connected()) {
        if (socket._isInAny(rooms)) {
          ids.add(socket.id);
        }
      }
    }
    return [...ids];
  }
}

/**
 * @typedef {import('../broadcast-operator').BroadcastOperator} Audience
 */

/**
 * @param {object} instance an adapter that the application has made for a namespace
 * @param {import('../namespace').Namespace} nsp the namespace
 * @returns {CustomAdapter} what the namespace needs of it, whatever its version
 */
function customAdapterOf(instance, nsp) {
  // From version 2 on an adapter gives the rooms of a socket.
  return typeof instance.socketRooms === 'function'
    ? new CustomAdapter(instance, nsp)
    : new Version1Adapter(instance, nsp);
}

module.exports = { customAdapterOf };
