'use strict';

/**
 * `socket.expires`: until when the client of a socket is authenticated. At that time it gets `unauthorized`,
 * and its connection is closed, unless it has authenticated again.
 *
 * Each LoopbackSocket that has authenticated the socket has a date of its own, and the earliest one counts. The
 * setter of `socket.expires` cannot know for which attempt to authenticate it is called, or for none. So what is set
 * while attempts are under way is provisional: it becomes the date of the instance whose attempt is accepted, and is
 * dropped when the attempt is refused.
 *
 * What must stay true: a refused attempt changes no date; an attempt with one instance does not change the date of
 * another; a socket that never had a date costs nothing; one that has ended holds no timer, and gets none.
 */

const { MAX_DELAY } = require('../check-options');
const { exclude } = require('./exclude');
const { ExpiredError, InvalidOptionError } = require('../errors');

/**
 * A date of a socket.
 *
 * @typedef {object} Expiry
 * @property {import('../loopback-socket')} [owner] the instance that has accepted the client until then; without, the
 *   application has set it while no attempt was under way
 * @property {Date | number | null} date what the application has set; `null` for no date
 * @property {number} time the same in ms since 1970; Infinity for no date
 */

/**
 * What is known of an attempt to authenticate by its host.
 *
 * @typedef {object} AttemptHost
 * @property {object} socket the socket
 * @property {Set<AttemptExpiry> | undefined} attempting the attempts of the socket that are under way
 */

/** @type {Expiry} */
const NEVER = Object.freeze({ date: null, time: Infinity });

/** @type {WeakMap<object, SocketExpiry>} by socket, if it has a date or has had one */
const expiries = new WeakMap();

/** The dates of one socket. */
class SocketExpiry {
  /** @type {Expiry[]} those that hold, one for each owner; none is `NEVER` */
  #dates = [];
  #socket;
  #timer;
  /**
   * What was set last while attempts are under way. It counts in the place of the dates until an attempt is decided
   * that it may be of.
   *
   * @type {Expiry | undefined}
   */
  provisional;
  /** Changes when the dates change, or a provisional one is dropped. */
  revision = 0;

  /**
   * @param {object} socket the socket
   */
  constructor(socket) {
    this.#socket = socket;
  }

  /** @returns {Expiry} the date that counts: the earliest one */
  get earliest() {
    return this.provisional ?? this.#dates.reduce(earlier, NEVER);
  }

  /** @returns {Expiry[]} all dates */
  get all() {
    const isDate = this.provisional !== undefined && this.provisional.time !== Infinity;
    return isDate ? [...this.#dates, this.provisional] : this.#dates;
  }

  /**
   * Replaces all dates.
   *
   * @param {Expiry[]} dates the new ones
   * @returns {void}
   */
  replace(dates) {
    this.revision += 1;
    this.#dates = dates;
    this.provisional = undefined;
    this.#wait();
  }

  /**
   * The application has set a date while attempts are under way.
   *
   * @param {Expiry} expiry the date
   * @returns {void}
   */
  setProvisional(expiry) {
    this.provisional = expiry;
    this.#wait();
  }

  /**
   * An attempt is accepted. Its date replaces that of its instance, and what the application has set outside of
   * attempts.
   *
   * @param {import('../loopback-socket')} owner the instance
   * @param {Expiry} [expiry=NEVER] the date
   * @returns {void}
   */
  accept(owner, expiry = NEVER) {
    const others = this.#dates.filter((one) => one.owner !== undefined && one.owner !== owner);
    this.replace(expiry.time === Infinity ? others : [...others, { ...expiry, owner }]);
  }

  /**
   * An attempt is refused during which a date was set. The dates hold again, or a provisional one from before the
   * attempt, unless that has been decided about since.
   *
   * @param {AttemptExpiry} attempt the attempt
   * @returns {void}
   */
  refuse(attempt) {
    this.provisional = attempt.revision === this.revision ? attempt.before : undefined;
    this.revision += 1;
    this.#wait();
  }

  /**
   * The dates do not matter any more.
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
    clearTimeout(this.#timer);
    const { time } = this.earliest;
    if (time === Infinity) {
      return;
    }
    const delay = Math.max(0, time - Date.now());
    this.#timer = setTimeout(
      () => {
        if (delay > MAX_DELAY) {
          this.#wait();
        } else {
          this.replace([]);
          exclude(this.#socket, new ExpiredError());
        }
      },
      Math.min(delay, MAX_DELAY),
    );
    this.#timer.unref?.();
  }
}

/** The date of an attempt to authenticate that is under way. */
class AttemptExpiry {
  /** @type {Expiry | undefined} what was set since it began; `undefined` if nothing was */
  expiry;

  /**
   * @param {SocketExpiry | undefined} dates those of the socket
   */
  constructor(dates) {
    /** The provisional date when it began: of another attempt, or of none. */
    this.before = dates?.provisional;
    /** The revision of the dates when it began. */
    this.revision = dates?.revision ?? 0;
  }

  /**
   * The application has set a date. If other attempts are under way, too, this may be the date of any of them, and the
   * one before that of this attempt: then the earlier one counts.
   *
   * @param {Expiry} expiry the date
   * @param {boolean} isAlone whether no other attempt of the socket is under way
   * @returns {void}
   */
  set(expiry, isAlone) {
    this.expiry = isAlone || this.expiry === undefined ? expiry : earlier(this.expiry, expiry);
  }
}

/**
 * @param {Expiry} one a date
 * @param {Expiry} other another date
 * @returns {Expiry} the earlier one
 */
function earlier(one, other) {
  return other.time < one.time ? other : one;
}

/**
 * @param {object} socket a socket
 * @returns {Date | number | null} what the application has set; `null` if there is no date
 */
function expiresOf(socket) {
  return expiries.get(socket)?.earliest.date ?? null;
}

/**
 * Sets until when a socket is authenticated.
 *
 * @param {object} socket the socket, which has not ended
 * @param {unknown} date a date, or ms since 1970; `null` or `undefined` for no date
 * @param {Set<AttemptExpiry>} [attempting] its attempts to authenticate that are under way
 * @returns {void}
 * @throws {InvalidOptionError} if it is something else
 */
function setExpires(socket, date, attempting) {
  const expiry = checkedExpiry(date);
  if (attempting === undefined) {
    if (expiry === NEVER) {
      clearExpires(socket);
    } else {
      datesOf(socket).replace([expiry]);
    }
    return;
  }
  for (const attempt of attempting) {
    attempt.set(expiry, attempting.size === 1);
  }
  datesOf(socket).setProvisional(expiry);
}

/**
 * @param {unknown} date what the application has set
 * @returns {Expiry} the date, without an owner
 * @throws {InvalidOptionError} if it is no date
 */
function checkedExpiry(date) {
  if (date === null || date === undefined) {
    return NEVER;
  }
  const time = date instanceof Date ? date.getTime() : date;
  if (typeof time !== 'number' || !Number.isFinite(time)) {
    throw new InvalidOptionError(
      'expires',
      date,
      'a valid Date, a number of milliseconds since 1970, or null',
    );
  }
  return { date, time };
}

/**
 * @param {object} socket a socket that has not ended
 * @returns {SocketExpiry} its dates
 */
function datesOf(socket) {
  let dates = expiries.get(socket);
  if (dates === undefined) {
    expiries.set(socket, (dates = new SocketExpiry(socket)));
  }
  return dates;
}

/**
 * Clears the dates of a socket, because it has ended, or because the application wants none.
 *
 * @param {object} socket the socket
 * @returns {void}
 */
function clearExpires(socket) {
  const dates = expiries.get(socket);
  if (dates !== undefined) {
    dates.clear();
    expiries.delete(socket);
  }
}

/**
 * @param {object} socket a socket whose connection is lost
 * @returns {readonly Expiry[]} its dates, for `restoreExpires`. If an attempt is under way, it will not be accepted any
 *   more; what was set meanwhile may not postpone a date, but is kept, since it need not be of the attempt
 */
function allExpires(socket) {
  return expiries.get(socket)?.all ?? [];
}

/**
 * Gives a socket, whose state was recovered, the dates that it had. If middleware of the application has set one for
 * this connection, that one counts.
 *
 * @param {object} socket the socket
 * @param {readonly Expiry[]} dates what `allExpires` gave
 * @returns {void}
 */
function restoreExpires(socket, dates) {
  if (dates.length > 0 && !expiries.has(socket)) {
    datesOf(socket).replace([...dates]);
  }
}

/**
 * An attempt to authenticate begins.
 *
 * @param {AttemptHost} host its host
 * @returns {AttemptExpiry} its date, for `attemptAccepted` or `attemptRefused`
 */
function attemptBegins(host) {
  const attempt = new AttemptExpiry(expiries.get(host.socket));
  host.attempting ??= new Set();
  host.attempting.add(attempt);
  return attempt;
}

/**
 * An attempt is accepted.
 *
 * @param {AttemptHost} host its host
 * @param {AttemptExpiry} attempt its date
 * @param {import('../loopback-socket')} instance the instance that accepts it
 * @returns {void}
 */
function attemptAccepted(host, attempt, instance) {
  attemptEnds(host, attempt);
  // There are none if the socket has ended meanwhile.
  expiries.get(host.socket)?.accept(instance, attempt.expiry);
}

/**
 * An attempt is refused.
 *
 * @param {AttemptHost} host its host
 * @param {AttemptExpiry} attempt its date
 * @returns {void}
 */
function attemptRefused(host, attempt) {
  attemptEnds(host, attempt);
  if (attempt.expiry !== undefined) {
    expiries.get(host.socket)?.refuse(attempt);
  }
}

/**
 * @param {AttemptHost} host the host of an attempt that is decided
 * @param {AttemptExpiry} attempt its date
 * @returns {void}
 */
function attemptEnds(host, attempt) {
  const { attempting } = host;
  attempting?.delete(attempt);
  if (attempting?.size === 0) {
    host.attempting = undefined;
  }
}

module.exports = {
  allExpires,
  attemptAccepted,
  attemptBegins,
  attemptRefused,
  clearExpires,
  expiresOf,
  restoreExpires,
  setExpires,
};
