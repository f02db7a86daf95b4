'use strict';

/**
 * Broadcasts that clients are to acknowledge, until the native server reports which sockets it has sent
 * them to, which only it decides.
 */
class UnsentBroadcasts {
  /** @type {Map<string, (receivers: number[]) => void>} by namespace and acknowledgement id */
  #waiting = new Map();

  /**
   * @param {number} namespace the number of the namespace
   * @param {number} ack the id clients acknowledge with
   * @param {(receivers: number[]) => void} sent called with the sockets that it is sent to
   * @returns {void}
   */
  add(namespace, ack, sent) {
    this.#waiting.set(`${namespace} ${ack}`, sent);
  }

  /**
   * @param {number} namespace the number of the namespace
   * @param {number} ack the id clients acknowledge with
   * @param {number[]} receivers the sockets that it is sent to
   * @returns {void}
   */
  sent(namespace, ack, receivers) {
    const key = `${namespace} ${ack}`;
    const report = this.#waiting.get(key);
    this.#waiting.delete(key);
    report?.(receivers);
  }

  /**
   * The native server has stopped: what it has not sent has no receivers.
   *
   * @returns {void}
   */
  drop() {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const report of waiting) {
      report([]);
    }
  }
}

module.exports = { UnsentBroadcasts };
