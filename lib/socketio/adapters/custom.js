'use strict';

/**
 * An adapter that the application has set, in one namespace: of Redis, PostgreSQL and the like, or its own.
 *
 * Its maps are the truth about rooms; Rust does not know them. Its base class finds the receivers of a
 * broadcast in these maps, and writes one encoded packet to each of them, as it does on npm's servers;
 * `CommandWriter.deliver()` makes one command of that. So every use that an adapter makes of its sockets
 * meets the real ones.
 *
 * What must stay true: a muted socket gets nothing of a broadcast, and no acknowledgement is expected of it.
 */

const { ClusterAcks } = require('../acks');
const { UnsupportedApiError } = require('../../errors');
const { EVENT_PACKET, warnOf } = require('../../events');
const { RemoteSocket } = require('./remote-socket');

/** The methods of adapters that look for sockets, pending ones too, and broadcast nothing. */
const MANAGEMENT = ['sockets', 'fetchSockets', 'addSockets', 'delSockets', 'disconnectSockets'];

class CustomAdapter {
  #nsp;
  /** @type {Set<import('../socket').Socket> | undefined} takes those that were passed by */
  #passedBy;

  /**
   * @param {object} instance the adapter, made for this namespace
   * @param {import('../namespace').Namespace} nsp the namespace
   */
  constructor(instance, nsp) {
    /** The adapter itself. */
    this.instance = instance;
    this.#nsp = nsp;
    const { encoder } = nsp.server;
    const { apply, broadcastWithAck } = instance;
    if (typeof apply !== 'function') {
      this.#correctCount(broadcastWithAck);
    } else {
      instance.apply = function applied(opts, callback) {
        const encoded = encoder.takeEncoded();
        const visit =
          encoded === undefined
            ? callback
            : (socket) => (socket._isMuted && !socket._holds(encoded.ack)) || callback(socket);
        return Reflect.apply(apply, this, [opts, visit]);
      };
    }
    for (const name of MANAGEMENT) {
      const method = instance[name];
      if (typeof method === 'function') {
        instance[name] = function managed(...args) {
          // The packet that was encoded last was for something else.
          encoder.takeEncoded();
          return Reflect.apply(method, this, args);
        };
      }
    }
  }

  /**
   * An adapter without `apply` goes through the sockets itself, and counts those that are passed by. Has it
   * tell how many have got a broadcast with acknowledgements.
   *
   * @param {Function} [broadcastWithAck] the method of the adapter, if it has one
   * @returns {void}
   */
  #correctCount(broadcastWithAck) {
    if (typeof broadcastWithAck !== 'function') {
      return;
    }
    const custom = this;
    this.instance.broadcastWithAck = function corrected(packet, opts, sent, answered) {
      const outer = custom.#passedBy;
      const passedBy = new Set();
      custom.#passedBy = passedBy;
      // The first count is that of this server; those of others may follow.
      const tell = (count) => {
        sent(count - passedBy.size);
        passedBy.forEach((socket) => socket._awaitAck(packet.id, undefined));
        passedBy.clear();
      };
      try {
        return Reflect.apply(broadcastWithAck, this, [packet, opts, tell, answered]);
      } finally {
        custom.#passedBy = outer;
      }
    };
  }

  /**
   * The adapter has written an event that clients are to acknowledge to a muted socket.
   *
   * @param {import('../socket').Socket} socket the socket, which gets nothing
   * @returns {void}
   */
  passBy(socket) {
    this.#passedBy?.add(socket);
  }

  /**
   * Initializes the adapter.
   *
   * @returns {void}
   */
  init() {
    const { instance } = this;
    if (typeof instance.init === 'function') {
      watched(() => instance.init());
    }
  }

  /**
   * Closes the adapter.
   *
   * @returns {Promise<void>} when it is closed
   */
  async close() {
    const { instance } = this;
    if (typeof instance.close === 'function') {
      await instance.close();
    }
  }

  /**
   * A socket joins rooms.
   *
   * @param {import('../socket').Socket} socket the socket
   * @param {Iterable<unknown>} rooms the rooms
   * @param {((error: unknown) => void) | null} [done] called when it is there
   * @returns {Promise<unknown> | undefined} what the adapter returns, if that takes time
   */
  join(socket, rooms, done) {
    return after(this.instance.addAll(socket.id, new Set(rooms)), done);
  }

  /**
   * A socket joins rooms, and nobody waits for that: the room of its own id when it is accepted, and those
   * that it is in when the adapter is set.
   *
   * @param {import('../socket').Socket} socket the socket
   * @param {Iterable<unknown>} rooms the rooms
   * @returns {void}
   */
  place(socket, rooms) {
    watched(() => this.join(socket, rooms));
  }

  /**
   * A socket leaves a room.
   *
   * @param {import('../socket').Socket} socket the socket
   * @param {unknown} room the room
   * @param {((error: unknown) => void) | null} [done] called when it is out
   * @returns {Promise<unknown> | undefined} what the adapter returns, if that takes time
   */
  leave(socket, room, done) {
    return after(this.instance.del(socket.id, room), done);
  }

  /**
   * A socket leaves all its rooms.
   *
   * @param {import('../socket').Socket} socket the socket
   * @returns {void}
   */
  leaveAll(socket) {
    watched(() => this.instance.delAll(socket.id));
  }

  /**
   * @param {import('../socket').Socket} socket a socket
   * @returns {Set<unknown>} its rooms
   */
  roomsOf(socket) {
    return this.instance.socketRooms(socket.id) ?? new Set();
  }

  /**
   * Broadcasts an event to all servers.
   *
   * @param {Audience} audience for whom
   * @param {unknown[]} data the event's name and arguments
   * @returns {void}
   */
  broadcast(audience, data) {
    watched(() => this.instance.broadcast({ type: EVENT_PACKET, data }, optionsOf(audience)));
  }

  /**
   * Broadcasts an event that clients of all servers are to acknowledge.
   *
   * @param {Audience} audience for whom
   * @param {unknown[]} data the event's name and arguments
   * @param {(error: Error | null, responses: unknown) => void} done called when all have answered, or when
   *   the time is over
   * @returns {void}
   * @throws {UnsupportedApiError} if the adapter cannot do that: its base class is older than 2.4
   */
  broadcastWithAck(audience, data, done) {
    const { instance } = this;
    if (typeof instance.broadcastWithAck !== 'function') {
      throw new UnsupportedApiError(
        'acknowledgements of broadcasts with this adapter',
        'an adapter that is based on socket.io-adapter 2.4 or later',
      );
    }
    const acks = new ClusterAcks(audience.flags, done);
    const packet = { type: EVENT_PACKET, data };
    acks.onExpire(() => {
      // The adapter gave it an id, if it has sent it to clients of this server.
      if (packet.id !== undefined) {
        this.#nsp.sockets.forEach((socket) => socket._awaitAck(packet.id, undefined));
      }
    });
    watched(() =>
      instance.broadcastWithAck(
        packet,
        optionsOf(audience),
        (count) => acks.sent(count),
        (response) => acks.answered(response),
      ),
    );
    // The adapter has thrown by now if an argument cannot be sent.
    const servers = instance.serverCount();
    acks.begin();
    watched(async () => acks.expects(audience.flags.local ? 1 : await servers));
  }

  /**
   * @param {Audience} audience whom
   * @returns {Promise<(import('../socket').Socket | RemoteSocket)[]>} the sockets of all servers
   */
  async fetchSockets(audience) {
    const sockets = await this.instance.fetchSockets(optionsOf(audience));
    return sockets.map((socket) =>
      socket.server ? socket : new RemoteSocket(audience._toSocket(socket.id), socket),
    );
  }

  /**
   * @param {Audience} audience in which rooms
   * @returns {Promise<Set<string>>} the ids of the sockets of all servers
   */
  async allSockets({ rooms }) {
    return this.instance.sockets(rooms);
  }

  /**
   * @param {Audience} audience whose sockets join rooms, on all servers
   * @param {unknown[]} rooms the rooms
   * @returns {void}
   */
  addSockets(audience, rooms) {
    watched(() => this.instance.addSockets(optionsOf(audience), rooms));
  }

  /**
   * @param {Audience} audience whose sockets leave rooms, on all servers
   * @param {unknown[]} rooms the rooms
   * @returns {void}
   */
  delSockets(audience, rooms) {
    watched(() => this.instance.delSockets(optionsOf(audience), rooms));
  }

  /**
   * @param {Audience} audience whose sockets are disconnected, on all servers
   * @param {boolean} close whether to end their connections too
   * @returns {void}
   */
  disconnectSockets(audience, close) {
    watched(() => this.instance.disconnectSockets(optionsOf(audience), close));
  }

  /**
   * Persists the session of a socket that has lost its connection, if the adapter does such things. A failure
   * becomes a warning: it was a client that ended the connection, and adapters throw if `socket.data` holds what
   * they cannot encode.
   *
   * @param {import('../recovery/session-store').Session} session the session
   * @returns {void}
   */
  persistSession(session) {
    try {
      watched(() => this.instance.persistSession?.(session));
    } catch (error) {
      warnOf(error);
    }
  }

  /**
   * Restores a session, if the adapter does such things.
   *
   * @param {string} pid the private id of the session
   * @param {string} offset the offset of the last event that its client has received
   * @returns {Promise<object | null | undefined>} the session with `missedPackets`, if there is one
   */
  async restoreSession(pid, offset) {
    return this.instance.restoreSession?.(pid, offset);
  }

  /**
   * Emits an event to the other servers.
   *
   * @param {unknown[]} packet the event's name and arguments; a function as last one takes the answers
   * @returns {void}
   */
  serverSideEmit(packet) {
    watched(() => this.instance.serverSideEmit(packet));
  }
}

/**
 * For whom an operation is.
 *
 * @typedef {import('../broadcast-operator').BroadcastOperator} Audience
 */

/**
 * @param {Audience} audience for whom an operation is
 * @returns {{rooms: Set<unknown>, except: Set<unknown>, flags: object}} the same as adapters take it
 */
function optionsOf({ rooms, exceptRooms, flags }) {
  return { rooms, except: exceptRooms, flags };
}

/**
 * What a socket's `join()` and `leave()` give of an adapter's.
 *
 * @param {unknown} result what the adapter returned
 * @param {((error: unknown) => void) | null} [done] called when that is over
 * @returns {Promise<unknown> | undefined} the result, if that takes time
 */
function after(result, done) {
  if (!isThenable(result)) {
    if (done) {
      process.nextTick(done, null);
    }
    return undefined;
  }
  if (done) {
    Promise.resolve(result).then(() => done(null), done);
  }
  return result;
}

/**
 * Runs an operation of an adapter. What it throws at once is the caller's; what it fails with later, in
 * sending to other servers for example, nobody waits for: that becomes a warning.
 *
 * @param {() => unknown} run runs it
 * @returns {void}
 */
function watched(run) {
  const running = run();
  if (isThenable(running)) {
    Promise.resolve(running).catch(warnOf);
  }
}

/**
 * @param {unknown} value what an adapter returned
 * @returns {boolean} whether something is to be waited for; a getter of `then` that throws counts as a failure
 *   to wait for
 */
function isThenable(value) {
  try {
    return typeof value?.then === 'function';
  } catch {
    return true;
  }
}

module.exports = { CustomAdapter, optionsOf };
