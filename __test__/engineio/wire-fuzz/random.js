'use strict';

/**
 * Pseudo-random choices that a seed determines, so that a sequence can be played again.
 */

class Random {
  #state;

  /** @param {number} seed - any number; the same one gives the same choices */
  constructor(seed) {
    this.#state = seed >>> 0;
    // The first values of seeds that follow each other are alike.
    for (let i = 0; i < 8; i++) this.next();
  }

  /** @returns {number} from 0 to below 1 (mulberry32) */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  /**
   * @param {number} min
   * @param {number} max
   * @returns {number} a whole number from `min` to `max`, both included
   */
  int(min, max) {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  /**
   * @param {number} probability
   * @returns {boolean}
   */
  chance(probability) {
    return this.next() < probability;
  }

  /**
   * @template T
   * @param {readonly T[]} list
   * @returns {T} one of the list
   */
  pick(list) {
    return list[this.int(0, list.length - 1)];
  }

  /**
   * @template T
   * @param {[number, T][]} choices - weights and what they are of
   * @returns {T} one of the choices
   */
  weighted(choices) {
    let at = this.next() * choices.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, choice] of choices) {
      at -= weight;
      if (at < 0) return choice;
    }
    return choices.at(-1)[1];
  }

  /**
   * @param {number} min - the fewest
   * @param {number} max - the most
   * @param {() => any} make
   * @returns {any[]} as many as chance has it
   */
  several(min, max, make) {
    return Array.from({ length: this.int(min, max) }, make);
  }
}

module.exports = { Random };
