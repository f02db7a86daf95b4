'use strict';

/**
 * What the client of a recovered socket has missed, where an adapter keeps the events: those that the adapter has
 * given, and those that it has broadcast since, while the socket is muted.
 *
 * What must stay true: what waits is limited; a client gets all of it in order, or is not recovered.
 */

/** How many broadcasts may wait for a socket that is muted. */
const MAX_HELD = 10_000;
/** How many bytes these may take, about. */
const MAX_HELD_BYTES = 16 * 1024 * 1024;

class MissedPackets {
  #packets;
  /** @type {import('../../native/command-writer').EncodedEvent[] | undefined} `undefined` if they were too many */
  #held = [];
  #bytes = 0;

  /**
   * @param {unknown[][]} packets names and arguments of the events, as the adapter gives them
   */
  constructor(packets) {
    this.#packets = packets;
  }

  /**
   * Has a broadcast wait.
   *
   * @param {import('../../native/command-writer').EncodedEvent} event the event
   * @returns {boolean} whether it does; otherwise too much waits, and the client must not be recovered
   */
  hold(event) {
    const { json, attachments = [] } = event;
    this.#bytes += attachments.reduce((sum, { byteLength }) => sum + byteLength, json.length);
    this.#held?.push(event);
    if (this.#held?.length > MAX_HELD || this.#bytes > MAX_HELD_BYTES) {
      this.#held = undefined;
    }
    return this.#held !== undefined;
  }

  /**
   * @param {import('../socket').Socket} socket the recovered socket
   * @param {import('../../native/command-writer').CommandWriter} commands encodes events
   * @returns {import('../../native/command-writer').EncodedEvent[] | undefined} the events, to be sent now;
   *   `undefined` if they were too many
   */
  take(socket, commands) {
    return (
      this.#held && [...this.#packets.flatMap((data) => encoded(commands, data)), ...this.#held]
    );
  }
}

/**
 * @param {import('../../native/command-writer').CommandWriter} commands encodes events
 * @param {unknown[]} data the name and the arguments of an event
 * @returns {import('../../native/command-writer').EncodedEvent[]} the event; none if it cannot be sent, in which
 *   case nobody has got it
 */
function encoded(commands, data) {
  try {
    return [commands.encode(data)];
  } catch {
    return [];
  }
}

module.exports = { MissedPackets };
