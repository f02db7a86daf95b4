'use strict';

/**
 * A map that keeps each entry for the same time, and that is limited in entries and in what they weigh
 * together: the oldest are dropped first.
 *
 * What must stay true: nothing is found after its time; an entry costs the same however many there are; one
 * timer runs while there are entries, and it does not keep the process alive.
 */

const { ExpiryTimer } = require('./expiry-timer');

/**
 * @template V
 * @typedef {object} Entry
 * @property {V} value the value
 * @property {number} weight what it weighs
 * @property {number} until when it expires, in ms since the process began
 */

/**
 * @template K, V
 */
class ExpiringMap {
  /** @type {Map<K, Entry<V>>} in the order in which they expire */
  #entries = new Map();
  #maxAge;
  #maxCount;
  #maxWeight;
  #weight = 0;
  #timer = new ExpiryTimer(
    () => this.#oldest()?.until,
    () => this.#dropExpired(),
  );

  /**
   * @param {object} limits how much is kept
   * @param {number} limits.maxAge for how many ms
   * @param {number} [limits.maxCount] how many entries
   * @param {number} [limits.maxWeight] what they may weigh together
   */
  constructor({ maxAge, maxCount = Infinity, maxWeight = Infinity }) {
    this.#maxAge = maxAge;
    this.#maxCount = maxCount;
    this.#maxWeight = maxWeight;
  }

  /** @returns {number} how many entries there are */
  get size() {
    this.#dropExpired();
    return this.#entries.size;
  }

  /**
   * Adds an entry, in the place of an older one with its key.
   *
   * @param {K} key the key
   * @param {V} value the value
   * @param {number} [weight=0] what it weighs; one that weighs more than all may is not added
   * @returns {void}
   */
  set(key, value, weight = 0) {
    this.delete(key);
    if (weight > this.#maxWeight) {
      return;
    }
    this.#entries.set(key, { value, weight, until: performance.now() + this.#maxAge });
    this.#weight += weight;
    while (this.#entries.size > this.#maxCount || this.#weight > this.#maxWeight) {
      this.#dropOldest();
    }
    this.#timer.wait();
  }

  /**
   * @param {K} key a key
   * @returns {V | undefined} its value
   */
  get(key) {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.until > performance.now() ? entry.value : undefined;
  }

  /**
   * Removes an entry.
   *
   * @param {K} key its key
   * @returns {V | undefined} the value that it had
   */
  take(key) {
    const value = this.get(key);
    this.delete(key);
    return value;
  }

  /**
   * @param {K} key the key of the entry to remove, if there is one
   * @returns {void}
   */
  delete(key) {
    const entry = this.#entries.get(key);
    if (entry !== undefined) {
      this.#entries.delete(key);
      this.#weight -= entry.weight;
    }
  }

  /**
   * @returns {V[]} the values, the oldest first
   */
  values() {
    this.#dropExpired();
    return Array.from(this.#entries.values(), ({ value }) => value);
  }

  /**
   * @returns {Entry<V> | undefined} the entry that expires next
   */
  #oldest() {
    return this.#entries.values().next().value;
  }

  /**
   * @returns {void}
   */
  #dropOldest() {
    const [key] = this.#entries.keys();
    this.delete(key);
  }

  /**
   * @returns {void}
   */
  #dropExpired() {
    const now = performance.now();
    for (const [key, { until }] of this.#entries) {
      if (until > now) {
        return;
      }
      this.delete(key);
    }
  }
}

module.exports = { ExpiringMap };
