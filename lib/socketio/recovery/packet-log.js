'use strict';

/**
 * The events that a server has broadcast lately, for clients that have lost their connection. Each is kept as
 * it was encoded, so what the application changes later is not sent.
 *
 * What must stay true: an offset that a client sends is looked up in the same time however many events there
 * are; what is kept is limited in time, events and bytes; whoever has missed an event that is not kept any more
 * is told so by getting no events at all.
 */

const { randomBytes } = require('crypto');
const { ExpiryTimer } = require('../../auth/expiry-timer');
const { sizeOfEncoded } = require('../../native/command-writer');

/**
 * An event that clients may have missed.
 *
 * @typedef {object} LoggedEvent
 * @property {string} nsp the name of its namespace
 * @property {Set<unknown>} rooms in which rooms it was broadcast; none means the whole namespace
 * @property {Set<unknown>} except in none of these rooms
 * @property {import('../../native/command-writer').EncodedEvent} event the event, its offset included
 * @property {number} bytes how many bytes it takes, about
 * @property {number} until how long it is kept, in ms since the process began
 */

class PacketLog {
  /** Distinguishes the offsets of this log from those of others. */
  #prefix = randomBytes(3).toString('base64url');
  /** @type {(LoggedEvent | undefined)[]} from `#start` on */
  #events = [];
  /** Where the oldest event is in `#events`. */
  #start = 0;
  /** The position of the oldest event: how many there were before it. */
  #first = 0;
  #bytes = 0;
  #timer = new ExpiryTimer(
    () => this.#events[this.#start]?.until,
    () => this.#dropExpired(),
  );
  #maxAge;
  #maxEvents;
  #maxBytes;

  /**
   * @param {object} limits how much is kept
   * @param {number} limits.maxAge for how many ms
   * @param {number} limits.maxEvents how many events
   * @param {number} limits.maxBytes how many bytes
   */
  constructor({ maxAge, maxEvents, maxBytes }) {
    this.#maxAge = maxAge;
    this.#maxEvents = maxEvents;
    this.#maxBytes = maxBytes;
  }

  /** @returns {number} the position behind the last event */
  get end() {
    return this.#first + this.#length;
  }

  /** @returns {string} the offset of the event that is added next; clients keep it, and send it to recover */
  get nextOffset() {
    return this.#prefix + (this.end + 1).toString(36);
  }

  /**
   * @param {string} offset what a client gives as the offset of the last event that it has received
   * @returns {number | undefined} the position behind that event; `undefined` if there was none, or not all
   *   events since are kept
   */
  positionOf(offset) {
    const digits = offset.slice(this.#prefix.length);
    if (!offset.startsWith(this.#prefix) || !/^[1-9a-z][\da-z]{0,9}$/.test(digits)) {
      return undefined;
    }
    const position = Number.parseInt(digits, 36);
    return this.isKeptFrom(position) && position <= this.end ? position : undefined;
  }

  /**
   * @param {number} position a position
   * @returns {boolean} whether all events from there on are kept
   */
  isKeptFrom(position) {
    this.#dropExpired();
    return position >= this.#first;
  }

  /**
   * Adds an event that has been encoded with `nextOffset` as last argument.
   *
   * @param {string} nsp the name of its namespace
   * @param {Set<unknown>} rooms in which rooms it is broadcast; none means the whole namespace
   * @param {Set<unknown>} except in none of these rooms
   * @param {import('../../native/command-writer').EncodedEvent} event the event
   * @returns {void}
   */
  add(nsp, rooms, except, event) {
    const bytes = sizeOfEncoded(event);
    const until = performance.now() + this.#maxAge;
    this.#events.push({ nsp, rooms, except, event, bytes, until });
    this.#bytes += bytes;
    while (this.#length > this.#maxEvents || this.#bytes > this.#maxBytes) {
      this.#dropOldest();
    }
    this.#dropExpired();
    this.#timer.wait();
  }

  /**
   * The events that a socket has missed.
   *
   * @param {string} nsp the name of its namespace
   * @param {Iterable<unknown>} rooms its rooms
   * @param {number} from the position of the first event that it may have missed
   * @param {number} to the position behind the last one
   * @returns {import('../../native/command-writer').EncodedEvent[] | undefined} the events; `undefined` if not
   *   all are kept
   */
  missed(nsp, rooms, from, to) {
    if (!this.isKeptFrom(from)) {
      return undefined;
    }
    const missed = [];
    const joined = new Set(rooms);
    for (let position = from; position < to; position++) {
      const logged = this.#events[this.#start + position - this.#first];
      if (logged.nsp === nsp && isFor(logged, joined)) {
        missed.push(logged.event);
      }
    }
    return missed;
  }

  /** @returns {number} how many events are kept */
  get #length() {
    return this.#events.length - this.#start;
  }

  /**
   * @returns {void}
   */
  #dropOldest() {
    this.#bytes -= this.#events[this.#start].bytes;
    this.#events[this.#start] = undefined;
    this.#start += 1;
    this.#first += 1;
    // Seldom enough that an event costs the same however many there are.
    if (this.#start > 1000 && this.#start * 2 > this.#events.length) {
      this.#events.splice(0, this.#start);
      this.#start = 0;
    }
  }

  /**
   * @returns {void}
   */
  #dropExpired() {
    const now = performance.now();
    while (this.#length > 0 && this.#events[this.#start].until <= now) {
      this.#dropOldest();
    }
  }
}

/**
 * @param {LoggedEvent} logged an event
 * @param {Set<unknown>} joined the rooms of a socket
 * @returns {boolean} whether the socket was among its receivers
 */
function isFor({ rooms, except }, joined) {
  return (rooms.size === 0 || share(rooms, joined)) && !share(except, joined);
}

/**
 * @param {Set<unknown>} one some rooms
 * @param {Set<unknown>} other other rooms
 * @returns {boolean} whether a room is among both. Goes through the fewer: a socket may have joined thousands, and
 *   this is asked for each event
 */
function share(one, other) {
  const [fewer, more] = one.size < other.size ? [one, other] : [other, one];
  for (const room of fewer) {
    if (more.has(room)) {
      return true;
    }
  }
  return false;
}

module.exports = { PacketLog };
