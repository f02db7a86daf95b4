'use strict';

/**
 * What adapters know as `namespace.server.encoder`. The base classes of adapters encode a packet once, and
 * then write the result to each socket that is to get it, by `socket.client.writeToEngine()`. Here the
 * result carries what one command for all of them needs.
 */

const { InvalidPacketError } = require('../../errors');
const { BINARY_EVENT_PACKET, EVENT_PACKET } = require('../../events');

/**
 * What `encode()` gives: an event, for the sockets of one namespace.
 */
class EncodedPacket {
  /**
   * @param {string} nsp the name of the namespace
   * @param {number | ''} ack the id that clients are to acknowledge with, `''` for none
   * @param {import('../../native/command-writer').EncodedEvent | undefined} event the event; `undefined` if
   *   there is nobody to send it to
   */
  constructor(nsp, ack, event) {
    this.nsp = nsp;
    this.ack = ack;
    this.event = event;
  }
}

class Encoder {
  #link;
  /** @type {EncodedPacket | undefined} what was encoded last, until the next microtask */
  #encoded;
  #isForgetting = false;
  #forget = () => {
    this.#isForgetting = false;
    this.#encoded = undefined;
  };

  /**
   * @param {import('../../native/link').NativeLink} link the native server, while it runs
   */
  constructor(link) {
    this.#link = link;
  }

  /**
   * Encodes a packet. One that is no event, or is not as Socket.IO makes it, is dropped with a warning.
   *
   * @param {{type: number, nsp: string, data: unknown[], id?: number}} packet an event
   * @param {(encoded: [EncodedPacket]) => void} [callback] called at once with the same, as in Socket.IO 2
   * @returns {[EncodedPacket]} to pass on to `writeToEngine()` of clients
   * @throws {import('../../errors').UnsendableValueError} if an argument of the event cannot be sent
   */
  encode({ type, nsp, data, id }, callback) {
    const isEvent = type === EVENT_PACKET || type === BINARY_EVENT_PACKET;
    const ack = id ?? '';
    let event;
    if (isEvent && Array.isArray(data) && data.length > 0 && (ack === '' || isAck(ack))) {
      event = this.#link.commands?.encode(data);
    } else {
      // It comes from another node, or from an emitter: an exception would end up in the adapter's client, and
      // an id that is no number would change the command.
      process.emitWarning(new InvalidPacketError(nsp));
    }
    if (!this.#isForgetting) {
      this.#isForgetting = true;
      queueMicrotask(this.#forget);
    }
    this.#encoded = new EncodedPacket(nsp, event === undefined ? '' : ack, event);
    const encoded = [this.#encoded];
    callback?.(encoded);
    return encoded;
  }

  /**
   * What has just been encoded. The base classes of adapters encode a packet directly before they look for its
   * receivers, and for nothing else.
   *
   * @returns {EncodedPacket | undefined} the packet; `undefined` if there is none, and when asked again
   */
  takeEncoded() {
    const encoded = this.#encoded;
    this.#encoded = undefined;
    return encoded;
  }
}

/**
 * @param {unknown} id what another server may have sent as the id of a packet
 * @returns {boolean} whether clients can acknowledge with it
 */
function isAck(id) {
  return Number.isSafeInteger(id) && id >= 0;
}

module.exports = { EncodedPacket, Encoder };
