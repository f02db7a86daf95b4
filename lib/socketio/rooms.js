'use strict';

/**
 * The rooms of a namespace by their names, which are any values: `7` is another room than `'7'`. Rust
 * knows the members of each room, by the number that the room has here; each socket knows its own rooms.
 *
 * The room of a socket's own id, in which it is from the start, is not kept here: most sockets are in no
 * other.
 */

class Rooms {
  /** @type {Map<unknown, {number: number, size: number}>} those that have members, by name */
  #rooms = new Map();
  /** Rooms are numbered in the order in which they are made; none is given a number twice. */
  _last = 0;

  /**
   * A socket joins a room that is not that of its own id.
   *
   * @param {unknown} name the room
   * @returns {number} its number
   */
  join(name) {
    let room = this.#rooms.get(name);
    if (room === undefined) {
      this._last += 1;
      room = { number: this._last, size: 0 };
      this.#rooms.set(name, room);
    }
    room.size += 1;
    return room.number;
  }

  /**
   * A socket leaves a room that it joined.
   *
   * @param {unknown} name the room
   * @returns {number} its number
   */
  leave(name) {
    const room = this.#rooms.get(name);
    room.size -= 1;
    if (room.size === 0) {
      this.#rooms.delete(name);
    }
    return room.number;
  }

  /**
   * @param {unknown} name a room
   * @returns {number | undefined} its number, if somebody has joined it
   */
  numberOf(name) {
    return this.#rooms.get(name)?.number;
  }

  /**
   * @param {unknown} name a room
   * @returns {number} how many sockets have joined it
   */
  sizeOf(name) {
    return this.#rooms.get(name)?.size ?? 0;
  }
}

module.exports = { Rooms };
