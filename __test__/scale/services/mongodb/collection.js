'use strict';

/**
 * The documents of one collection in the order in which they were inserted. Like a capped collection it forgets the
 * oldest; like the oplog it hands out each insertion with a token from which a change stream can resume.
 */

const { EventEmitter } = require('node:events');
const { at, comparable, matches } = require('./matches');

/** How many documents a collection keeps. */
const CAP = 50_000;

class Collection extends EventEmitter {
  #documents = [];
  #forgotten = 0;

  constructor() {
    super();
    this.setMaxListeners(0);
  }

  /** @returns {number} where a change stream begins that watches from now on */
  get end() {
    return this.#forgotten + this.#documents.length;
  }

  /** @returns {number} the first insertion that is still known */
  get begin() {
    return this.#forgotten;
  }

  /** @param {object} document */
  insert(document) {
    this.#documents.push(document);
    if (this.#documents.length > CAP) {
      const old = this.#documents.length - CAP / 2;
      this.#documents.splice(0, old);
      this.#forgotten += old;
    }
    this.emit('insert');
  }

  /**
   * @param {number} position
   * @returns {object | undefined} the document inserted there, unless it was removed
   */
  inserted(position) {
    return this.#documents[position - this.#forgotten];
  }

  /**
   * @param {object} query
   * @param {object} [sort]
   * @returns {object[]}
   */
  find(query, sort = {}) {
    const found = this.#documents.filter((document) => document && matches(document, query));
    for (const [path, direction] of Object.entries(sort).reverse()) {
      const sign = Number(comparable(direction));
      found.sort((a, b) => {
        const [x, y] = [comparable(at(a, path)), comparable(at(b, path))];
        if (x === y) return 0;
        return x < y ? -sign : sign;
      });
    }
    return found;
  }

  /** @param {object} document one that `find` returned */
  remove(document) {
    const index = this.#documents.indexOf(document);
    if (index !== -1) this.#documents[index] = undefined;
  }
}

module.exports = { Collection };
