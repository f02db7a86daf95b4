'use strict';

/**
 * What `namespace.adapter` is while the application has set no adapter: the rooms, as Socket.IO's adapters
 * show them. Rust owns the rooms; these maps are made from what JavaScript knows of them, when the
 * application reads them. Sockets whose middleware is running are in them once they have joined a room; `sockets()`
 * gives those that are connected.
 */

const { EventEmitter } = require('events');
const { refuse } = require('../unsupported');

class BuiltInAdapter extends EventEmitter {
  /**
   * @param {import('../namespace').Namespace} nsp whose rooms
   */
  constructor(nsp) {
    super();
    this.nsp = nsp;
  }

  /**
   * The rooms and the ids of their sockets.
   *
   * @returns {Map<unknown, Set<string>>} a copy
   */
  get rooms() {
    const rooms = new Map();
    for (const [id, joined] of this.sids) {
      for (const room of joined) {
        const ids = rooms.get(room);
        if (ids === undefined) {
          rooms.set(room, new Set([id]));
        } else {
          ids.add(id);
        }
      }
    }
    return rooms;
  }

  /**
   * The ids of the sockets and their rooms, also of those whose middleware has had them join some.
   *
   * @returns {Map<string, Set<unknown>>} a copy
   */
  get sids() {
    const { sockets, _preConnectSockets: joining } = this.nsp;
    const sids = new Map();
    for (const socket of [...sockets.values(), ...joining.values()]) {
      if (socket._hasRooms) {
        sids.set(socket.id, socket.rooms);
      }
    }
    return sids;
  }

  /**
   * @param {string} id a socket's id
   * @returns {Set<unknown> | undefined} its rooms
   */
  socketRooms(id) {
    const socket = this.nsp._withId(id);
    return socket?._hasRooms ? socket.rooms : undefined;
  }

  /**
   * @param {Set<unknown>} [rooms] rooms; none means the whole namespace
   * @returns {Promise<Set<string>>} the ids of their sockets
   */
  async sockets(rooms = new Set()) {
    const sockets = [...this.nsp.sockets.values()];
    const inRooms = sockets.filter((socket) => rooms.size === 0 || socket._isInAny(rooms));
    return new Set(inRooms.map((socket) => socket.id));
  }

  /**
   * @returns {Promise<number>} how many servers there are: this one
   */
  async serverCount() {
    return 1;
  }

  /**
   * A socket has joined a room: emits `join-room`, after `create-room` if it is the first.
   *
   * @param {unknown} room the room
   * @param {string} id the socket's id
   * @returns {void}
   */
  _joined(room, id) {
    if (this.listenerCount('create-room') > 0) {
      // The room of its own id is not counted while it has not been accepted.
      const { nsp } = this;
      const isFirst = room === id ? nsp._rooms.sizeOf(room) === 0 : nsp._sizeOf(room) === 1;
      if (isFirst) {
        this.emit('create-room', room);
      }
    }
    this.emit('join-room', room, id);
  }

  /**
   * A socket has left a room: emits `leave-room`, then `delete-room` if it was the last.
   *
   * @param {unknown} room the room
   * @param {string} id the socket's id
   * @returns {void}
   */
  _left(room, id) {
    this.emit('leave-room', room, id);
    if (this.listenerCount('delete-room') > 0 && this.nsp._sizeOf(room) === 0) {
      this.emit('delete-room', room);
    }
  }
}

const ROOMS = 'join(), leave() and emit() of sockets and namespaces';
refuse(BuiltInAdapter.prototype, {
  addAll: ROOMS,
  del: ROOMS,
  delAll: ROOMS,
  broadcast: ROOMS,
  broadcastWithAck: ROOMS,
  addSockets: 'socketsJoin() of namespaces',
  delSockets: 'socketsLeave() of namespaces',
  disconnectSockets: 'disconnectSockets() of namespaces',
  fetchSockets: 'fetchSockets() of namespaces',
  serverSideEmit: 'serverSideEmit() of namespaces',
  persistSession: 'the option connectionStateRecovery',
  restoreSession: 'the option connectionStateRecovery',
  init: 'new Server(): no initialization is needed',
  close: 'close() of the server',
});

module.exports = { BuiltInAdapter };
