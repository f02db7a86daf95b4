'use strict';

/**
 * `socket.expires`: until when the client of a socket is authenticated. At that time it gets `unauthorized`,
 * and its connection is closed, unless it has authenticated again.
 *
 * What must stay true: a socket without a date costs nothing; one that has ended holds no timer.
 */

const { MAX_DELAY } = require('../check-options');
const { exclude } = require('./exclude');
const { ExpiredError, InvalidOptionError } = require('../errors');

/** @type {WeakMap<object, Expiry>} by socket */
const expiries = new WeakMap();

/** One date of one socket. */
class Expiry {
  #socket;
  #time;
  #timer;

  /**
   * @param {object} socket the socket
   * @param {Date | number} date what the application has set
   * @param {number} time the same in ms since 1970
   */
  constructor(socket, date, time) {
    this.date = date;
    this.#socket = socket;
    this.#time = time;
    this.#wait();
  }

  /**
   * The date does not matter any more.
   *
   * @returns {void}
   */
  clear() {
    clearTimeout(this.#timer);
  }

  /**
   * Waits for the date: as long as a timer can, and then again. Even for a date that has passed, not to end
   * the socket while the application's function runs that set the date.
   *
   * @returns {void}
   */
  #wait() {
    const delay = Math.max(0, this.#time - Date.now());
    this.#timer = setTimeout(
      () => {
        if (delay > MAX_DELAY) {
          this.#wait();
        } else {
          expiries.delete(this.#socket);
          exclude(this.#socket, new ExpiredError());
        }
      },
      Math.min(delay, MAX_DELAY),
    );
    this.#timer.unref?.();
  }
}

/**
 * @param {object} socket a socket
 * @returns {Date | number | null} what the application has set; `null` if there is no date
 */
function expiresOf(socket) {
  return expiries.get(socket)?.date ?? null;
}

/**
 * Sets until when a socket is authenticated.
 *
 * @param {object} socket the socket
 * @param {unknown} date a date, or ms since 1970; `null` or `undefined` for no date
 * @returns {void}
 * @throws {InvalidOptionError} if it is something else
 */
function setExpires(socket, date) {
  if (date === null || date === undefined) {
    clearExpires(socket);
    return;
  }
  const time = date instanceof Date ? date.getTime() : date;
  if (typeof time !== 'number' || !Number.isFinite(time)) {
    throw new InvalidOptionError(
      'expires',
      date,
      'a valid Date, a number of milliseconds since 1970, or null',
    );
  }
  clearExpires(socket);
  expiries.set(socket, new Expiry(socket, date, time));
}

/**
 * Clears the date of a socket that has ended.
 *
 * @param {object} socket the socket
 * @returns {void}
 */
function clearExpires(socket) {
  const expiry = expiries.get(socket);
  if (expiry !== undefined) {
    expiry.clear();
    expiries.delete(socket);
  }
}

/**
 * @param {object} socket a socket that begins to authenticate
 * @returns {Expiry | undefined} its date, for `renew`
 */
function expiryOf(socket) {
  return expiries.get(socket);
}

/**
 * A socket has authenticated: a date that was set before counts no more.
 *
 * @param {object} socket the socket
 * @param {Expiry | undefined} before its date when it began to
 * @returns {void}
 */
function renew(socket, before) {
  if (before !== undefined && expiries.get(socket) === before) {
    clearExpires(socket);
  }
}

module.exports = { clearExpires, expiresOf, expiryOf, renew, setExpires };
