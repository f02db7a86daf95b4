'use strict';

/**
 * Connection state recovery on an npm `socket.io` server from 4.6 on, for namespaces whose sockets have to
 * authenticate. Socket.IO persists the session of every socket that loses its connection, and sends a recovered
 * one at once what it has missed. Wrappers on the adapter of each namespace, whatever adapter that is, have it
 * do so for sockets that have authenticated.
 *
 * What must stay true: a session is persisted only for a socket that gets broadcasts, and restored only once; a
 * recovered socket gets what it has missed, and what is broadcast until it has authenticated, then and in this
 * order, or its connection ends and nothing is recovered.
 */

const { DisconnectedSockets } = require('../auth/disconnected-sockets');
const { isExcluded } = require('../auth/exclude');
const { ExpiringMap } = require('../auth/expiring-map');
const { HeldBroadcasts } = require('../auth/held-broadcasts');
const { EVENT_PACKET } = require('../events');
const { sizeOf: sizeOfItem } = require('../subscriptions/item-size');

/** How many sessions of a namespace may be restored at once. */
const MAX_RESTORED = 10_000;

/** @type {WeakMap<object, RecoveringNamespace>} by namespace */
const namespaces = new WeakMap();

/** @type {WeakMap<object, DisconnectedSockets>} what is remembered of authentications, by server */
const disconnectedSockets = new WeakMap();

/** @type {WeakMap<object, RecoveredSocket>} by socket */
const recovered = new WeakMap();

/** @type {WeakMap<object, () => Map<object, object>>} gives what instances have bound to a socket, by socket */
const boundTo = new WeakMap();

/**
 * A socket whose state was recovered, as long as it waits for what it has missed.
 */
class RecoveredSocket {
  #socket;
  /** @type {unknown[][]} what it has missed while it had no connection */
  #missed;
  /** @type {HeldBroadcasts<[unknown, object]>} what has been broadcast since, as it was encoded */
  #held = new HeldBroadcasts();
  #isDeferred = false;
  #isReleased = false;

  /**
   * @param {object} socket the socket
   * @param {unknown[][]} missed what it has missed
   * @param {import('../auth/disconnected-sockets').DisconnectedSocket} [disconnected] what is remembered of its
   *   authentication
   */
  constructor(socket, missed, disconnected) {
    this.#socket = socket;
    this.#missed = missed;
    this.disconnected = disconnected;
    /** Stands in for the socket in broadcasts, which wait. */
    this.standIn = {
      id: socket.id,
      acks: { set: () => {} },
      notifyOutgoingListeners: () => {},
      client: { writeToEngine: (packets, options) => this.#hold(packets, options) },
    };
  }

  /** @returns {boolean} whether it still waits */
  get isWaiting() {
    return this.#missed !== undefined;
  }

  /**
   * Has what waits wait until `answered`, even if it is released before.
   *
   * @returns {void}
   */
  defer() {
    this.#isDeferred = true;
  }

  /**
   * @returns {void}
   */
  answered() {
    this.#isDeferred = false;
    if (this.#isReleased) {
      this.release();
    }
  }

  /**
   * Sends what waits, in its order.
   *
   * @returns {void}
   */
  release() {
    this.#isReleased = true;
    if (this.#isDeferred || this.#missed === undefined) {
      return;
    }
    const [missed, held] = [this.#missed, this.#held.all];
    this.#missed = undefined;
    this.#held = undefined;
    for (const data of missed) {
      this.#socket.packet({ type: EVENT_PACKET, data });
    }
    for (const [packets, options] of held) {
      this.#socket.client.writeToEngine(packets, options);
    }
  }

  /**
   * Has a broadcast wait.
   *
   * @param {unknown} packets the encoded broadcast
   * @param {object} options how it is sent
   * @returns {void}
   */
  #hold(packets, options) {
    if (options.volatile || this.#missed === undefined) {
      return;
    }
    if (!this.#held.add([packets, options], sizeOf(packets))) {
      // Its client connects again, and learns that it has not been recovered.
      this.#missed = undefined;
      this.#socket.conn.close();
    }
  }
}

/** What recovery needs to know of a namespace. */
class RecoveringNamespace {
  /**
   * What was restored for sockets that have not connected yet: their middleware is running.
   *
   * @type {WeakMap<object, {missed: unknown[][], disconnected?: object}>} by socket
   */
  #restoredFor = new WeakMap();
  /**
   * The same for those that are being made.
   *
   * @type {ExpiringMap<string, {missed: unknown[][], disconnected?: object}>} by the private id of their session
   */
  #restored;
  /** @type {WeakSet<object>} adapters that are wrapped */
  #wrapped = new WeakSet();
  #disconnected;
  #nsp;
  #isHidden;

  /**
   * @param {object} nsp the namespace
   * @param {(socket: object) => boolean} isHidden tells whether broadcasts pass a socket by
   * @param {number} maxAge for how many ms a client may be away
   */
  constructor(nsp, isHidden, maxAge) {
    this.#nsp = nsp;
    this.#isHidden = isHidden;
    this.#disconnected = disconnectedOf(nsp.server, maxAge);
    this.#restored = new ExpiringMap({ maxAge, maxCount: MAX_RESTORED });
  }

  /**
   * Wraps the adapter, unless that has been done: the application may set another one at any time.
   *
   * @returns {void}
   */
  wrapAdapter() {
    const { adapter } = this.#nsp;
    if (!adapter || this.#wrapped.has(adapter)) {
      return;
    }
    this.#wrapped.add(adapter);
    const recovering = this;
    const { persistSession, restoreSession } = adapter;
    if (typeof persistSession === 'function') {
      adapter.persistSession = function persistAuthenticated(session) {
        // Adapters find sessions of any namespace, by their private id.
        return recovering.#mayPersist(session)
          ? persistSession.call(this, { ...session, nsp: recovering.#nsp.name })
          : undefined;
      };
    }
    if (typeof restoreSession === 'function') {
      adapter.restoreSession = function restoreOnce(pid, offset) {
        return recovering.#restore(this, pid, () => restoreSession.call(this, pid, offset));
      };
    }
  }

  /**
   * @param {{sid: string, pid: string}} session the session of a socket that has lost its connection
   * @returns {boolean} whether the socket may be recovered; if so, its authentication is remembered
   */
  #mayPersist({ sid, pid }) {
    const socket = this.#nsp.sockets.get(sid);
    if (socket === undefined) {
      // A listener of `disconnecting` has ended it.
      return false;
    }
    if (this.#isHidden(socket) || recovered.get(socket)?.isWaiting || isExcluded(socket)) {
      return false;
    }
    const bound = boundTo.get(socket)?.();
    return (
      bound === undefined ||
      this.#disconnected.add(pid, socket, bound, () => sizeOfHandshake(socket))
    );
  }

  /**
   * @param {object} adapter the adapter
   * @param {string} pid what a client gives as the private id of its session
   * @param {() => unknown} restoreSession asks the adapter for the session
   * @returns {Promise<object | null>} the session, without what its client has missed
   */
  async #restore(adapter, pid, restoreSession) {
    const disconnected = this.#disconnected.find(this.#nsp, pid);
    // What is remembered of one that may not return stays, so that it is not restored the next time either.
    const isRefused = disconnected?.refusal !== undefined;
    let isRestored = false;
    try {
      const restoring = isRefused || this.#restored.get(pid) ? null : restoreSession();
      if (adapter.sessions instanceof Map) {
        // The adapter of Socket.IO itself, in memory, would restore a session as often as it is asked to.
        adapter.sessions.delete(pid);
      }
      const session = await restoring;
      isRestored = this.#mayRestore(session) && this.#restored.get(pid) === undefined;
      if (!isRestored) {
        return null;
      }
      this.#restored.set(pid, { missed: session.missedPackets, disconnected });
      return { ...session, pid, missedPackets: [] };
    } finally {
      if (disconnected !== undefined && !isRefused && !isRestored) {
        this.#disconnected.take(disconnected);
      }
    }
  }

  /**
   * @param {{sid: string, nsp?: string} | null | undefined} session what the adapter has found
   * @returns {boolean} whether it is a session of this namespace, as far as it says, whose socket has ended
   */
  #mayRestore(session) {
    const { name, sockets, _preConnectSockets: connecting } = this.#nsp;
    return (
      Boolean(session) &&
      (session.nsp ?? name) === name &&
      !sockets.has(session.sid) &&
      !connecting?.has(session.sid)
    );
  }

  /**
   * A socket has been made, for a session that was restored or not.
   *
   * @param {object} socket the socket
   * @returns {void}
   */
  made(socket) {
    const restored = socket.recovered ? this.#restored.take(socket.pid) : undefined;
    if (restored !== undefined) {
      this.#restoredFor.set(socket, restored);
    }
  }

  /**
   * Takes what was restored for a socket.
   *
   * @param {object} socket the socket, which has connected
   * @returns {RecoveredSocket | undefined} that; `undefined` if it is not known any more
   */
  take(socket) {
    this.made(socket);
    const restored = this.#restoredFor.get(socket);
    if (restored === undefined) {
      return undefined;
    }
    this.#restoredFor.delete(socket);
    const { missed, disconnected } = restored;
    const isKnown = disconnected !== undefined && this.#disconnected.take(disconnected);
    return new RecoveredSocket(socket, [...missed], isKnown ? disconnected : undefined);
  }
}

/**
 * Has recovery in a namespace wait for authentication, if its server recovers anything.
 *
 * @param {object | undefined} nsp the namespace
 * @param {(socket: object) => boolean} isHidden tells whether broadcasts pass a socket by
 * @returns {void}
 */
function watchRecovery(nsp, isHidden) {
  const options = nsp?.server?.opts?.connectionStateRecovery;
  if (!options || !(nsp.sockets instanceof Map) || namespaces.has(nsp)) {
    return;
  }
  const recovering = new RecoveringNamespace(nsp, isHidden, options.maxDisconnectionDuration);
  namespaces.set(nsp, recovering);
  recovering.wrapAdapter();
  // Called before the adapter is asked for a session.
  for (const name of ['_add', '_createSocket']) {
    const method = nsp[name];
    if (typeof method === 'function') {
      nsp[name] = function wrapped(...args) {
        recovering.wrapAdapter();
        const result = Reflect.apply(method, this, args);
        if (name === '_createSocket' && typeof result?.then === 'function') {
          return result.then((socket) => {
            recovering.made(socket);
            return socket;
          });
        }
        return result;
      };
    }
  }
}

/**
 * A socket has connected, and may be one whose state was recovered.
 *
 * @param {object} socket the socket
 * @returns {void}
 */
function noteRecovered(socket) {
  const recovering = namespaces.get(socket.nsp);
  if (recovering === undefined || !socket.recovered || recovered.has(socket)) {
    return;
  }
  const restored = recovering.take(socket);
  if (restored === undefined) {
    // Too many sessions were restored at once.
    socket.conn.close();
    return;
  }
  recovered.set(socket, restored);
}

/**
 * @param {object} socket a socket
 * @returns {RecoveredSocket | undefined} what is known of it, if its state was recovered
 */
function recoveredOf(socket) {
  return recovered.get(socket);
}

/**
 * @param {object | undefined} socket a socket
 * @returns {RecoveredSocket | undefined} the same, if the socket waits for what it has missed
 */
function waitingOf(socket) {
  const one = socket && recovered.get(socket);
  return one?.isWaiting ? one : undefined;
}

/**
 * A socket is served: its authentication is remembered when it loses its connection.
 *
 * @param {object} socket the socket
 * @param {() => Map<import('../loopback-socket'), import('../auth/disconnected-sockets').Bound>} bound gives what
 *   the instances that have authenticated it have bound
 * @returns {void}
 */
function rememberBound(socket, bound) {
  boundTo.set(socket, bound);
}

/**
 * Emits an event to the client of a socket and to nothing else. With recovery, the `emit()` of Socket.IO 4 is a
 * broadcast to the room of the socket's id, which the adapter keeps for recovery.
 *
 * @param {object} socket the socket
 * @param {unknown[]} data the event and its arguments; a function as last one takes the client's acknowledgement
 * @returns {void}
 */
function emitDirectly(socket, data) {
  const packet = { type: EVENT_PACKET, data };
  if (typeof data.at(-1) === 'function') {
    packet.id = socket.nsp._ids++;
    socket.acks.set(packet.id, data.pop());
  }
  socket.notifyOutgoingListeners?.(packet);
  socket.packet(packet);
}

/**
 * @param {object} server a Socket.IO server
 * @param {number} maxAge for how many ms a client may be away
 * @returns {DisconnectedSockets} what is remembered of its sockets
 */
function disconnectedOf(server, maxAge) {
  let disconnected = disconnectedSockets.get(server);
  if (disconnected === undefined) {
    disconnectedSockets.set(server, (disconnected = new DisconnectedSockets(maxAge)));
  }
  return disconnected;
}

/**
 * @param {object} socket a socket
 * @returns {number} how many bytes of what its client has sent it keeps for `handshake`, about
 */
function sizeOfHandshake({ handshake: { auth, headers, url } }) {
  return sizeOfItem([auth, headers, url]);
}

/**
 * @param {unknown} packets an encoded packet: texts and binary values
 * @returns {number} how many bytes it takes, about
 */
function sizeOf(packets) {
  return [packets].flat().reduce((sum, { length = 0 }) => sum + length, 0);
}

module.exports = {
  emitDirectly,
  noteRecovered,
  recoveredOf,
  rememberBound,
  waitingOf,
  watchRecovery,
};
