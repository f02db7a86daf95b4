'use strict';

/**
 * The body of a request, gathered as it comes. However small the chunks are in which a client sends
 * it, what is kept is in proportion to its bytes, not to the number of its chunks.
 */

/** What is set aside at least, in bytes, for a body of more than one chunk. */
const LEAST = 1024;

class Body {
  /** How many bytes came. */
  length = 0;
  #limit;
  /** @type {Buffer | undefined} the one chunk there is, or where all of them are copied to */
  #bytes;
  #isOwn = false;

  /**
   * @param {number} limit how many bytes it may have
   */
  constructor(limit) {
    this.#limit = limit;
  }

  /** How many bytes of memory are set aside. */
  get capacity() {
    return this.#bytes?.length ?? 0;
  }

  /**
   * @param {Buffer} chunk what came next
   * @returns {boolean} whether the body is still within the limit; beyond it nothing is kept
   */
  add(chunk) {
    const start = this.length;
    this.length += chunk.length;
    if (this.length > this.#limit) {
      this.#bytes = undefined;
      return false;
    }
    if (start === 0) {
      // Most bodies come as one chunk, which needs no copy.
      this.#bytes = chunk;
      return true;
    }
    if (!this.#isOwn || this.length > this.#bytes.length) {
      this.#grow(start);
    }
    chunk.copy(this.#bytes, start);
    return true;
  }

  /**
   * @param {number} used how many bytes are to be kept
   * @returns {void}
   */
  #grow(used) {
    const doubled = Math.min(Math.max(2 * used, LEAST), this.#limit);
    // Of its own: a slice of Node's pool would keep all of that.
    const grown = Buffer.allocUnsafeSlow(Math.max(doubled, this.length));
    this.#bytes.copy(grown, 0, 0, used);
    this.#bytes = grown;
    this.#isOwn = true;
  }

  /**
   * @returns {Buffer} all of it
   */
  whole() {
    return this.#bytes?.subarray(0, this.length) ?? Buffer.alloc(0);
  }
}

module.exports = { Body };
