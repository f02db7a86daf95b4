'use strict';

/**
 * The time that something is kept after its last subscriber has left.
 *
 * What must stay true: it is over early when its server is closed, since nobody can come back there, and the
 * process is to end then.
 */

class GracePeriod {
  #timer;
  #periods;
  #over;

  /**
   * @param {number} ttl how long it is, in ms
   * @param {Set<GracePeriod>} periods those of its server, which is to `end` them when it is closed
   * @param {() => void} over called when it is over
   */
  constructor(ttl, periods, over) {
    this.#periods = periods;
    this.#over = over;
    this.#timer = setTimeout(() => this.end(), ttl);
    this.#timer.unref();
    periods.add(this);
  }

  /**
   * A subscriber has come: what is kept is used again.
   *
   * @returns {void}
   */
  cancel() {
    clearTimeout(this.#timer);
    this.#periods.delete(this);
  }

  /**
   * @returns {void}
   */
  end() {
    this.cancel();
    this.#over();
  }

  /**
   * @param {Set<GracePeriod>} periods those of a server that is closed
   * @returns {void}
   */
  static endAll(periods) {
    for (const period of [...periods]) {
      period.end();
    }
  }
}

module.exports = { GracePeriod };
