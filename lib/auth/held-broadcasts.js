'use strict';

/** How many broadcasts may wait for one socket. */
const MAX_HELD = 10_000;
/** How many bytes these may take, about. */
const MAX_HELD_BYTES = 16 * 1024 * 1024;

/**
 * Broadcasts that wait for a recovered socket until it has authenticated, in their order.
 *
 * What must stay true: what waits is limited; when it is too much, nothing is kept any more, since a client
 * must get all of it or not be recovered.
 *
 * @template T
 */
class HeldBroadcasts {
  /** @type {T[] | undefined} `undefined` if they were too many */
  #broadcasts = [];
  #bytes = 0;

  /**
   * Has a broadcast wait.
   *
   * @param {T} broadcast the broadcast
   * @param {number} bytes how many bytes it takes, about
   * @returns {boolean} whether it waits; otherwise too much does, and the client must not be recovered
   */
  add(broadcast, bytes) {
    this.#bytes += bytes;
    this.#broadcasts?.push(broadcast);
    if (this.#broadcasts?.length > MAX_HELD || this.#bytes > MAX_HELD_BYTES) {
      this.#broadcasts = undefined;
    }
    return this.#broadcasts !== undefined;
  }

  /** @returns {readonly T[] | undefined} what waits; `undefined` if that was too much */
  get all() {
    return this.#broadcasts;
  }
}

module.exports = { HeldBroadcasts };
