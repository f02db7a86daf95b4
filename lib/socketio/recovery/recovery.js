'use strict';

/**
 * Connection state recovery of one server: which sessions are persisted, and which clients get theirs back. The
 * sessions and the events that were missed are kept by the adapter of the application, if it has set one that can,
 * or else in memory.
 *
 * What must stay true: a socket that is pending or muted, that this package has ended, or whose authentication
 * has expired or been revoked is neither persisted nor restored; a session is restored once; whatever an adapter
 * does, the client gets a usable socket.
 */

const { DisconnectedSockets } = require('../../auth/disconnected-sockets');
const { guarded } = require('../../events');
const { MissedPackets } = require('./missed-packets');
const { SessionStore } = require('./session-store');

/** The private ids of sessions, as `Recovery.newId()` makes them: 120 random bits. */
const PID = /^[\w-]{20}$/;
/** How many characters an offset may have; those of adapters have up to 40. */
const MAX_OFFSET = 64;
/** The ids of sockets that Rust takes: those of `src/engineio/sid.rs`. */
const SID = /^[!#-[\]-~]{1,63}$/;
/** How many ms an adapter may take to restore a session: its backend may be gone. */
const RESTORE_TIMEOUT = 10_000;

/**
 * A session that is restored.
 *
 * @typedef {object} RestoredSession
 * @property {import('./session-store').Session} session the session
 * @property {import('./session-store').MissedEvents | MissedPackets} missed what its client has missed
 * @property {() => import('../../auth/disconnected-sockets').DisconnectedSocket | undefined} takeDisconnected takes
 *   what this process remembers of its authentication
 * @property {() => void} putBack keeps the session, as its client has gone before it got it back
 */

class Recovery {
  /** What this process remembers of authentications. */
  #disconnected;
  /** @type {Set<string>} the private ids of sessions that adapters are restoring */
  #restoring = new Set();

  /**
   * @param {import('./options').RecoveryOptions} options complete
   */
  constructor(options) {
    this.options = options;
    /** What is kept for namespaces without an adapter. */
    this.store = new SessionStore(options);
    this.#disconnected = new DisconnectedSockets(options.maxDisconnectionDuration);
  }

  /**
   * @param {{pid?: unknown, offset?: unknown} | undefined} auth what a client joins a namespace with
   * @returns {boolean} whether it asks for its session
   */
  static isAskedBy(auth) {
    const { pid, offset } = auth ?? {};
    const isOffset = typeof offset === 'string' && offset.length <= MAX_OFFSET;
    return typeof pid === 'string' && PID.test(pid) && (offset === undefined || isOffset);
  }

  /**
   * Restores a session.
   *
   * @param {import('../namespace').Namespace} nsp the namespace that the client joins
   * @param {{pid: string, offset?: string}} auth what it joins with
   * @param {(restored: RestoredSession | undefined) => void} done called once, at once unless there is an
   *   adapter; with `undefined` if there is no session
   * @returns {void}
   */
  restore(nsp, { pid, offset }, done) {
    const disconnected = this.#disconnected.find(nsp, pid);
    if (disconnected?.refusal !== undefined) {
      // It stays, so that the session of an adapter is not restored the next time either.
      this.store.forget(pid);
      done(undefined);
      return;
    }
    const takeDisconnected = () =>
      disconnected && this.#disconnected.take(disconnected) ? disconnected : undefined;
    const complete = (restored) => {
      if (restored === undefined) {
        takeDisconnected();
        return undefined;
      }
      const putBack = () => {
        restored.putBack();
        if (disconnected !== undefined) {
          this.#disconnected.putBack(disconnected);
        }
      };
      return { ...restored, takeDisconnected, putBack };
    };
    if (nsp._custom === undefined) {
      done(complete(this.store.restore(nsp.name, pid, offset)));
    } else {
      this.#restoreByAdapter(nsp, pid, offset).then((restored) => done(complete(restored)));
    }
  }

  /**
   * Persists the session of a socket that has lost its connection.
   *
   * @param {import('../socket').Socket} socket the socket, while it is still in its rooms
   * @param {string} pid the private id of the session
   * @param {number} since the position of the first event that its client may have missed, whatever it says
   * @returns {boolean} whether it is persisted
   */
  persist(socket, pid, since) {
    const { nsp, id: sid, data } = socket;
    if (socket._instances.length > 0) {
      const bound = new Map();
      socket._bound.forEach((one, i) => one && bound.set(socket._instances[i], one));
      if (!this.#disconnected.add(pid, socket, bound, () => socket._handshakeSize)) {
        return false;
      }
    }
    const session = { sid, pid, nsp: nsp.name, rooms: [...socket.rooms], data };
    if (nsp._custom === undefined) {
      this.store.persist(session, since);
    } else {
      guarded(() => nsp._custom.persistSession(session));
    }
    return true;
  }

  /**
   * @param {import('../namespace').Namespace} nsp a namespace with an adapter
   * @param {string} pid the private id of a session
   * @param {string | undefined} offset the offset of the last event that its client has received
   * @returns {Promise<{session: object, missed: MissedPackets, putBack: () => void} | undefined>} the session;
   *   `undefined` if there is none, or the adapter fails or takes too long
   */
  async #restoreByAdapter(nsp, pid, offset) {
    if (offset === undefined || this.#restoring.has(pid)) {
      return undefined;
    }
    this.#restoring.add(pid);
    let timer;
    const timeout = new Promise((resolve) => {
      // The connection keeps the process alive, not the adapter that may never answer.
      timer = setTimeout(resolve, RESTORE_TIMEOUT).unref();
    });
    const { _custom: custom } = nsp;
    try {
      const session = await Promise.race([custom.restoreSession(pid, offset), timeout]);
      if (!isSession(session, nsp.name)) {
        return undefined;
      }
      const { sid, rooms, data, missedPackets } = session;
      const restored = { sid, pid, nsp: nsp.name, rooms, data };
      return {
        session: restored,
        missed: new MissedPackets(missedPackets),
        putBack: () => guarded(() => custom.persistSession(restored)),
      };
    } catch {
      // Adapters reject for a session or an offset that they do not know.
      return undefined;
    } finally {
      clearTimeout(timer);
      this.#restoring.delete(pid);
    }
  }
}

/**
 * @param {unknown} session what an adapter gives
 * @param {string} name the name of the namespace that a client joins
 * @returns {boolean} whether it is a session of that namespace: adapters find sessions of any. Those of npm
 *   `socket.io` do not say which it was
 */
function isSession(session, name) {
  const { sid, nsp = name, rooms, missedPackets } = session ?? {};
  return (
    nsp === name &&
    typeof sid === 'string' &&
    SID.test(sid) &&
    Array.isArray(rooms) &&
    Array.isArray(missedPackets) &&
    missedPackets.every((data) => Array.isArray(data) && data.length > 0)
  );
}

module.exports = { Recovery };
