'use strict';

/**
 * What connection state recovery keeps of one socket: the private id of its session, and what it waits for if its
 * state was recovered.
 *
 * What must stay true: a recovered socket gets what it has missed before anything that is broadcast later, and not
 * while it is muted; if that is impossible, its connection ends, and its client learns that it is not recovered.
 */

const { randomBytes } = require('crypto');
const { isExcluded } = require('../../auth/exclude');
const { isOfBackpressure } = require('../disconnect-reasons');

/** Why a socket may end so that its session is persisted: the reasons of Socket.IO 4.8. */
const RECOVERABLE = new Set([
  'transport error',
  'transport close',
  'forced close',
  'ping timeout',
  'server shutting down',
  'forced server close',
]);

/** What is broadcast to a single socket leaves nobody out. */
const NO_ROOMS = Object.freeze(new Set());

class SocketRecovery {
  #recovery;
  #socket;
  /** @type {import('./recovery').RestoredSession | undefined} until its client has got it back */
  #restored;
  /** @type {import('./recovery').RestoredSession['missed'] | undefined} until that is sent */
  #missed;
  /** The position of the first event that its client may miss, once broadcasts reach it. */
  #since;
  #isDeferred = false;
  #isReleased = false;
  #hasGap = false;
  #isPersisted = false;

  /**
   * @param {import('./recovery').Recovery} recovery that of its server
   * @param {import('../socket').Socket} socket the socket
   * @param {import('./recovery').RestoredSession} [restored] its session, if that is restored
   */
  constructor(recovery, socket, restored) {
    this.#recovery = recovery;
    this.#socket = socket;
    this.#restored = restored;
    this.#missed = restored?.missed;
    this.#since = restored?.missed.from;
    /** The private id of its session: a secret of server and client. */
    this.pid = restored?.session.pid ?? randomBytes(15).toString('base64url');
    /** Whether its state was recovered. */
    this.isRecovered = restored !== undefined;
  }

  /** @returns {boolean} whether it waits for what it has missed */
  get isWaiting() {
    return this.#missed !== undefined;
  }

  /**
   * Takes what this process remembers of its authentication, if its state is recovered.
   *
   * @returns {import('../../auth/disconnected-sockets').DisconnectedSocket | undefined} what that is
   */
  takeDisconnected() {
    return this.#restored?.takeDisconnected();
  }

  /** @returns {boolean} whether it has ended, and its session is persisted */
  get isPersisted() {
    return this.#isPersisted;
  }

  /**
   * The socket that its client has now, if this one has ended.
   *
   * @returns {import('../socket').Socket | undefined} the socket, once it has joined its namespace; none but one
   *   with the state of this one
   */
  get successor() {
    if (!this.#isPersisted) {
      return undefined;
    }
    const { id, nsp, _connection: connection } = this.#socket;
    // By its name: a child of a parent namespace may have been made anew.
    const successor = connection.owner.namespaces.get(nsp.name)?.sockets.get(id);
    const isRestored = successor?._recovery?.pid === this.pid && successor.connected;
    return isRestored ? successor : undefined;
  }

  /**
   * The application emits an event to the socket, which is not muted; or was not, if its session is persisted. As
   * in Socket.IO, that is a broadcast to the room of its id, so that it can be recovered.
   *
   * @param {{volatile?: boolean, compress?: boolean}} flags how
   * @param {unknown[]} args the event's name and arguments
   * @returns {void}
   * @throws {import('../../errors').UnsendableValueError} if an argument cannot be sent
   */
  emit(flags, args) {
    const { id, nsp, connected, _number: number } = this.#socket;
    const rooms = new Set([id]);
    if (nsp._custom !== undefined) {
      nsp._custom.broadcast({ rooms, exceptRooms: new Set(), flags: { ...flags } }, args);
      return;
    }
    const { commands } = nsp._link;
    if (commands !== undefined) {
      const event = this.#recovery.store.add(commands, nsp.name, rooms, NO_ROOMS, args);
      if (connected) {
        commands.emitEncoded(number, flags, event);
      }
    }
  }

  /**
   * The socket joins its namespace. What it has missed comes in front of the packet that says so, as in Socket.IO;
   * clients keep it until then.
   *
   * @param {import('../../native/command-writer').CommandWriter} commands sends commands
   * @returns {void}
   */
  accept(commands) {
    const { id, _number: number, _isMuted: isMuted } = this.#socket;
    this.#restored = undefined;
    if (!isMuted) {
      this.unmute();
    }
    commands.acceptRecoverable(number, id, this.pid);
  }

  /**
   * Has the socket stay muted until `answered`, even if it is unmuted before: `authenticated` comes first.
   *
   * @returns {void}
   */
  defer() {
    this.#isDeferred = this.isWaiting;
  }

  /**
   * @returns {void}
   */
  answered() {
    this.#isDeferred = false;
    if (this.#isReleased) {
      this.#isReleased = false;
      this.#socket._mute(false);
    }
  }

  /**
   * Broadcasts are about to reach the socket: sends what it has missed.
   *
   * @returns {boolean} whether they may
   */
  unmute() {
    if (this.#isDeferred) {
      this.#isReleased = true;
      return false;
    }
    if (this.#hasGap) {
      return false;
    }
    this.#since ??= this.#recovery.store.position;
    if (this.#missed !== undefined) {
      const { commands } = this.#socket.nsp._link;
      const missed = commands && this.#missed.take(this.#socket, commands);
      this.#missed = undefined;
      if (missed === undefined) {
        this.#break();
        return false;
      }
      missed.forEach((event) => commands.emitEncoded(this.#socket._number, {}, event));
    }
    return true;
  }

  /**
   * An adapter broadcasts an event while the socket is muted, and waits for what it has missed.
   *
   * @param {import('../../native/command-writer').EncodedEvent} event the event
   * @returns {void}
   */
  hold(event) {
    if (this.#missed.hold?.(event) === false) {
      this.#missed = undefined;
      this.#break();
    }
  }

  /**
   * The socket ends.
   *
   * @param {string} reason why, in Socket.IO's words
   * @param {object} [details] more about it
   * @returns {void}
   */
  end(reason, details) {
    const socket = this.#socket;
    // What it has missed may be more than its client can read, then and the next time.
    const isOverwhelmed = this.isRecovered && isOfBackpressure(details);
    const isBroken = this.#hasGap || isOverwhelmed || isExcluded(socket);
    if (RECOVERABLE.has(reason) && !isBroken && !socket._isMuted) {
      this.#isPersisted = this.#recovery.persist(socket, this.pid, this.#since);
    }
  }

  /**
   * The connection has ended before the socket joined its namespace.
   *
   * @returns {void}
   */
  abandon() {
    const restored = this.#restored;
    this.#restored = undefined;
    restored?.putBack();
  }

  /**
   * Ends the connection of a client that cannot be sent all that it has missed. It connects again by itself.
   *
   * @returns {void}
   */
  #break() {
    this.#hasGap = true;
    this.#socket._connection.requestClose();
  }
}

module.exports = { SocketRecovery };
