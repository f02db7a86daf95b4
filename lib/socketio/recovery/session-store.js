'use strict';

/**
 * Keeps the sessions of clients that have lost their connection, and the events that they miss, in memory: for
 * servers without an adapter. All namespaces of a server share its limits.
 *
 * What must stay true: a session is recovered once; its client gets each event that was broadcast to its rooms
 * meanwhile once and in order, or is not recovered.
 */

const { ExpiringMap } = require('../../auth/expiring-map');
const { PacketLog } = require('./packet-log');

/**
 * A session as Socket.IO has it.
 *
 * @typedef {object} Session
 * @property {string} sid the id of its socket
 * @property {string} pid its own id, which is a secret of server and client
 * @property {string} nsp the name of its namespace
 * @property {unknown[]} rooms the rooms of the socket
 * @property {unknown} data `socket.data`
 */

/**
 * A session of this store.
 *
 * @typedef {object} StoredSession
 * @property {Session} session the session
 * @property {number} since the position of the first event that the client may have missed, whatever it says
 * @property {number} until how long it is kept, in ms since the process began
 */

class SessionStore {
  /** @type {ExpiringMap<string, StoredSession>} by the private id of each session */
  #sessions;
  #log;
  #maxAge;

  /**
   * @param {import('./options').RecoveryOptions} options complete
   */
  constructor({ maxDisconnectionDuration, maxSessions, maxPackets, maxPacketBytes }) {
    this.#maxAge = maxDisconnectionDuration;
    this.#sessions = new ExpiringMap({ maxAge: maxDisconnectionDuration, maxCount: maxSessions });
    this.#log = new PacketLog({
      maxAge: maxDisconnectionDuration,
      maxEvents: maxPackets,
      maxBytes: maxPacketBytes,
    });
  }

  /** @returns {number} the position behind the last event */
  get position() {
    return this.#log.end;
  }

  /**
   * Encodes an event with its offset as last argument, and keeps it for clients that miss it.
   *
   * @param {import('../../native/command-writer').CommandWriter} commands encodes it
   * @param {string} nsp the name of its namespace
   * @param {Set<unknown>} rooms in which rooms it is broadcast; none means the whole namespace
   * @param {Set<unknown>} except in none of these rooms
   * @param {unknown[]} args the event's name and arguments
   * @returns {import('../../native/command-writer').EncodedEvent} the event, to be sent
   * @throws {import('../../errors').UnsendableValueError} if an argument cannot be sent
   */
  add(commands, nsp, rooms, except, args) {
    const event = commands.encode([...args, this.#log.nextOffset]);
    this.#log.add(nsp, rooms, except, event);
    return event;
  }

  /**
   * Keeps the session of a client that has lost its connection.
   *
   * @param {Session} session the session
   * @param {number} since the position of the first event that the client may have missed, whatever it says
   * @returns {void}
   */
  persist(session, since) {
    const until = performance.now() + this.#maxAge;
    this.#sessions.set(session.pid, { session, since, until });
  }

  /**
   * Drops a session.
   *
   * @param {string} pid its private id
   * @returns {void}
   */
  forget(pid) {
    this.#sessions.delete(pid);
  }

  /**
   * Takes the session of a client that is back.
   *
   * @param {string} nsp the name of the namespace that it joins
   * @param {string} pid the private id that it sends
   * @param {string | undefined} offset the offset of the last event that it has received; `undefined` if it has
   *   received none
   * @returns {{session: Session, missed: MissedEvents, putBack: () => void} | undefined} the session, what its
   *   client has missed, and what keeps the session for the rest of its time; `undefined` if there is none, or
   *   if not all events since are kept
   */
  restore(nsp, pid, offset) {
    const stored = this.#sessions.get(pid);
    if (stored === undefined || stored.session.nsp !== nsp || stored.until <= performance.now()) {
      return undefined;
    }
    this.#sessions.delete(pid);
    const { session, since } = stored;
    const position = offset === undefined ? since : this.#log.positionOf(offset);
    if (position === undefined) {
      return undefined;
    }
    const from = Math.max(position, since);
    if (!this.#log.isKeptFrom(from)) {
      return undefined;
    }
    const missed = new MissedEvents(this.#log, stored, from);
    return { session, missed, putBack: () => this.#sessions.set(pid, stored) };
  }
}

/** What a client has missed: up to now, as long as it has not been sent. */
class MissedEvents {
  #log;
  #nsp;
  /** Up to here the rooms of the session count, and from here on those of the socket. */
  #restored;
  #rooms;

  /**
   * @param {PacketLog} log the events
   * @param {StoredSession} stored the session
   * @param {number} from the position of the first event that it has missed
   */
  constructor(log, { session }, from) {
    this.#log = log;
    this.#nsp = session.nsp;
    /** The position of the first one. */
    this.from = from;
    this.#restored = log.end;
    this.#rooms = session.rooms;
  }

  /**
   * @param {import('../socket').Socket} socket the recovered socket
   * @returns {import('../../native/command-writer').EncodedEvent[] | undefined} the events, to be sent now;
   *   `undefined` if not all are kept any more
   */
  take(socket) {
    const [log, nsp] = [this.#log, this.#nsp];
    const before = log.missed(nsp, this.#rooms, this.from, this.#restored);
    const since = log.missed(nsp, socket.rooms, this.#restored, log.end);
    return before && since && [...before, ...since];
  }
}

module.exports = { SessionStore };
