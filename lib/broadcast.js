'use strict';

/**
 * Whom a broadcast is for, said step by step: `io.to('a').except('b').emit(…)`.
 */

const { ReservedEventError } = require('./errors');

/** Names that are events of a socket or namespace itself: nobody may emit them to clients. */
const RESERVED = new Set([
  'connect',
  'connect_error',
  'disconnect',
  'disconnecting',
  'newListener',
  'removeListener',
]);

/**
 * The name of an event as it is sent.
 *
 * @param {unknown} name what the application gave
 * @returns {string | number} the name
 * @throws {ReservedEventError} if it is an event of the socket itself
 */
function eventName(name) {
  const text = typeof name === 'number' ? name : String(name);
  if (RESERVED.has(text)) {
    throw new ReservedEventError(text);
  }
  return text;
}

class BroadcastOperator {
  #namespace;
  #rooms;
  #except;
  #skip;

  /**
   * @param {import('./namespace').Namespace} namespace where
   * @param {string[]} [rooms] in any of these rooms; none means the whole namespace
   * @param {string[]} [except] in none of these rooms
   * @param {number} [skip] not this socket
   */
  constructor(namespace, rooms = [], except = [], skip = undefined) {
    this.#namespace = namespace;
    this.#rooms = rooms;
    this.#except = except;
    this.#skip = skip;
  }

  /**
   * Also the sockets of a room.
   *
   * @param {string | string[]} room the room, or several
   * @returns {BroadcastOperator} a new one
   */
  to(room) {
    const rooms = this.#rooms.concat(roomNames(room));
    return new BroadcastOperator(this.#namespace, rooms, this.#except, this.#skip);
  }

  /**
   * The same as `to`.
   *
   * @param {string | string[]} room the room, or several
   * @returns {BroadcastOperator} a new one
   */
  in(room) {
    return this.to(room);
  }

  /**
   * Not the sockets of a room.
   *
   * @param {string | string[]} room the room, or several
   * @returns {BroadcastOperator} a new one
   */
  except(room) {
    const except = this.#except.concat(roomNames(room));
    return new BroadcastOperator(this.#namespace, this.#rooms, except, this.#skip);
  }

  /**
   * The same audience: broadcasting is what this object does.
   *
   * @returns {BroadcastOperator} itself
   */
  get broadcast() {
    return this;
  }

  /**
   * Emits an event to the audience. Sockets that have not authenticated hear nothing.
   *
   * @param {string} event its name
   * @param {...unknown} args its arguments
   * @returns {boolean} true
   * @throws {ReservedEventError} if the name is an event of the socket itself
   * @throws {UnsendableValueError} if an argument cannot be sent
   */
  emit(event, ...args) {
    const audience = {};
    if (this.#rooms.length > 0) {
      audience.rooms = this.#rooms;
    }
    if (this.#except.length > 0) {
      audience.except = this.#except;
    }
    if (this.#skip !== undefined) {
      audience.skip = this.#skip;
    }
    this.#namespace._broadcast(audience, [eventName(event), ...args]);
    return true;
  }
}

/**
 * @param {string | string[]} room a room, or several; numbers are rooms too
 * @returns {string[]} the names
 */
function roomNames(room) {
  return (Array.isArray(room) ? room : [room]).map(String);
}

module.exports = { BroadcastOperator, eventName, roomNames };
