'use strict';

/**
 * The shared sources of one subscription that run or are about to, by their keys.
 */

const { TooManySourcesError } = require('../errors');
const { SharedSource } = require('./shared-source');

/** @type {WeakMap<object, number>} how many shared sources each LoopbackSocket has */
const counts = new WeakMap();

class SharedSources {
  #definition;
  /** @type {Map<string, SharedSource>} */
  #byKey = new Map();

  /**
   * @param {import('./definition').SubscriptionDefinition} definition whose sources they are
   */
  constructor(definition) {
    this.#definition = definition;
  }

  /**
   * Gives the source of a key, made on first use, and keeps it until it is released.
   *
   * @param {string} key the key
   * @param {unknown} args the arguments of a handler that is started for it
   * @returns {SharedSource} the source
   * @throws {TooManySourcesError} if the instance has as many as it may have
   */
  reserve(key, args) {
    let source = this.#byKey.get(key);
    if (source === undefined) {
      const { instance, options } = this.#definition;
      const count = counts.get(instance) ?? 0;
      if (count >= options.maxSources) {
        throw new TooManySourcesError();
      }
      source = new SharedSource(this.#definition, args, () => {
        this.#byKey.delete(key);
        counts.set(instance, counts.get(instance) - 1);
      });
      counts.set(instance, count + 1);
      this.#byKey.set(key, source);
    }
    source.reserve();
    return source;
  }

  /**
   * @param {string} key a key
   * @param {unknown} item what to send to its subscribers
   * @returns {boolean} whether there is such a source
   * @throws {import('../errors').UnsendableValueError} if the item cannot be sent
   */
  publish(key, item) {
    const source = this.#byKey.get(key);
    if (source === undefined || !source.isRunning) {
      return false;
    }
    source.publish(item);
    return true;
  }

  /**
   * The subscription is defined no more: ends all sources, and their subscribers at once.
   *
   * @returns {void}
   */
  removeAll() {
    for (const source of [...this.#byKey.values()]) {
      source.remove();
    }
  }
}

module.exports = { SharedSources };
