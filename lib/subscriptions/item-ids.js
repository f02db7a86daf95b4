'use strict';

/**
 * How sources and their items are named on the wire, and what a handler says about them.
 */

const { randomBytes } = require('crypto');
const { InvalidOptionError } = require('../errors');

/** Different in each process, so that no source has the name of one before a restart. */
const PREFIX = randomBytes(6).toString('hex');

let made = 0;

/**
 * @returns {string} the name of a new source, which no other has: `meta.source`, and the epoch of the ids
 *   of a shared one
 */
function newSourceName() {
  made += 1;
  return PREFIX + made.toString(36);
}

/**
 * @param {string} source the name of a shared source
 * @param {number} offset of an item, from 1
 * @returns {string} the item's id
 */
function idOf(source, offset) {
  return `${source}-${offset}`;
}

/**
 * @param {string} source the name of a shared source
 * @param {unknown} after what a client gave as the id of the last item that it has
 * @returns {number | undefined} the offset of that item; `undefined` if it is none of this source
 */
function offsetOf(source, after) {
  if (typeof after !== 'string' || !after.startsWith(source) || after[source.length] !== '-') {
    return undefined;
  }
  const digits = after.slice(source.length + 1);
  return /^\d{1,15}$/.test(digits) ? Number(digits) : undefined;
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it can be the id of an item
 */
function isItemId(value) {
  return typeof value === 'string' || Number.isFinite(value);
}

/** An item of a private source with the id that its client resumes after. */
class TrackedItem {
  /**
   * @param {string | number} id the id
   * @param {unknown} item the item
   */
  constructor(id, item) {
    this.id = id;
    this.item = item;
  }
}

/** A private source that continues after the id that the client gave. */
class ResumedSource {
  /**
   * @param {unknown} source what the handler would give without
   */
  constructor(source) {
    this.source = source;
  }
}

/**
 * @param {unknown} id the item's id
 * @param {unknown} item the item
 * @returns {TrackedItem} what to yield
 * @throws {InvalidOptionError} if the id is none
 */
function tracked(id, item) {
  if (!isItemId(id)) {
    throw new InvalidOptionError('id', id, 'a string or a number');
  }
  return new TrackedItem(id, item);
}

/**
 * @param {unknown} source an async iterable, a stream or whatever else a handler may give
 * @returns {ResumedSource} what to return
 */
function resumed(source) {
  return new ResumedSource(source);
}

module.exports = {
  ResumedSource,
  TrackedItem,
  idOf,
  isItemId,
  newSourceName,
  offsetOf,
  resumed,
  tracked,
};
