'use strict';

/** What arrived, by name, kept until somebody asks for it. */
class EventQueue {
  #arrived = new Map();
  #waiting = new Map();

  /**
   * @param {string} name
   * @param {any} value
   */
  push(name, value) {
    const waiting = this.#waiting.get(name)?.shift();
    if (waiting === undefined) {
      this.#arrived.set(name, [...(this.#arrived.get(name) ?? []), value]);
    } else {
      waiting(value);
    }
  }

  /**
   * @param {string} name
   * @returns {Promise<any>} the oldest of that name that nobody has taken
   */
  next(name) {
    const arrived = this.#arrived.get(name);
    if (arrived?.length > 0) return Promise.resolve(arrived.shift());
    return new Promise((resolve) => {
      this.#waiting.set(name, [...(this.#waiting.get(name) ?? []), resolve]);
    });
  }

  /**
   * @param {string} name
   * @returns {any[]} those of that name that nobody has taken
   */
  untaken(name) {
    return this.#arrived.get(name) ?? [];
  }
}

module.exports = { EventQueue };
