'use strict';

/**
 * What the client of a recovered socket has missed, where an adapter keeps the events: those that the adapter has
 * given, and those that it has broadcast since, while the socket is muted.
 *
 * What must stay true: what waits is limited; a client gets all of it in order, or is not recovered.
 */

const { HeldBroadcasts } = require('../../auth/held-broadcasts');
const { sizeOfEncoded } = require('../../native/command-writer');

class MissedPackets {
  #packets;
  /** @type {HeldBroadcasts<import('../../native/command-writer').EncodedEvent>} */
  #held = new HeldBroadcasts();

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
    return this.#held.add(event, sizeOfEncoded(event));
  }

  /**
   * @param {import('../socket').Socket} socket the recovered socket
   * @param {import('../../native/command-writer').CommandWriter} commands encodes events
   * @returns {import('../../native/command-writer').EncodedEvent[] | undefined} the events, to be sent now;
   *   `undefined` if they were too many
   */
  take(socket, commands) {
    const { all: held } = this.#held;
    return held && [...this.#packets.flatMap((data) => encoded(commands, data)), ...held];
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
