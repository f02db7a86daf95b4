'use strict';

/**
 * One subscription that an instance defines: its handler and its options, checked and complete.
 */

const { MAX_DELAY, checkOptions, isCount, isDelay } = require('../check-options');
const { AUTHORIZE, VALIDATE } = require('../calls/method-options');
const { InvalidHandlerError, InvalidOptionError } = require('../errors');
const { OVERFLOW_END, OVERFLOW_LATEST } = require('./overflow');
const { SharedSources } = require('./shared-sources');

const FUNCTION = { fallback: undefined, check: (value) => typeof value === 'function' };

/** What each option needs, and what it is without. */
const RULES = {
  key: {
    ...FUNCTION,
    needs: 'a function (args) that returns { key, args } or the key, a string',
  },
  authorize: AUTHORIZE,
  authorizeItem: {
    ...FUNCTION,
    needs: 'a function (socket, item) that returns whether the client may have the item',
  },
  validate: VALIDATE,
  history: {
    fallback: undefined,
    check: isPlainObject,
    needs: 'an object { size, ttl }, such as { size: 200, ttl: 60_000 }',
    complete: (given, whose) => {
      const history = `the option 'history' of ${whose}`;
      return checkOptions(HISTORY_RULES, given, history, history);
    },
  },
  window: {
    fallback: 32,
    check: (value) => Number.isSafeInteger(value) && value >= 1 && value <= 65_536,
    needs: 'a whole number from 1 to 65536',
  },
  maxQueuedBytes: {
    fallback: 1_000_000,
    check: (value) => Number.isSafeInteger(value) && value >= 0,
    needs: 'a whole number of bytes, 0 or more',
  },
  overflow: {
    fallback: OVERFLOW_END,
    check: (value) => value === OVERFLOW_END || value === OVERFLOW_LATEST,
    needs: "'end' or 'latest'",
  },
  ackTimeout: {
    fallback: 60_000,
    check: (value) => value === null || isDelay(value),
    needs: `a whole number of ms from 1 to ${MAX_DELAY}, or null for no limit`,
  },
  maxSources: {
    fallback: 10_000,
    check: isCount,
    needs: 'a whole number, 1 or more, or Infinity for no limit',
  },
};

const HISTORY_RULES = {
  size: {
    fallback: 100,
    check: (value) => Number.isSafeInteger(value) && value >= 1 && value <= 1_000_000,
    needs: 'a whole number from 1 to 1000000',
  },
  ttl: {
    fallback: 60_000,
    check: isDelay,
    needs: `a whole number of ms from 1 to ${MAX_DELAY}`,
  },
};

class SubscriptionDefinition {
  /** Whether the application has removed or replaced it. */
  isRemoved = false;

  /**
   * @param {import('../loopback-socket')} instance whose it is
   * @param {string} name its name
   * @param {unknown} handler what gives its sources, as the application gave it; may be left out
   * @param {unknown} options as the application gave them
   * @throws {InvalidHandlerError} if the handler is none
   * @throws {InvalidOptionError} if an option is unknown or impossible
   */
  constructor(instance, name, handler, options) {
    if (handler !== undefined && !isHandler(handler)) {
      throw new InvalidHandlerError(`The subscription '${name}'`, handler);
    }
    this.instance = instance;
    this.name = name;
    this.handler = handler;
    const subscription = `the subscription '${name}'`;
    const checked = checkOptions(RULES, options, subscription, `the options of ${subscription}`);
    this.options = checked;
    /** Whether subscribers share sources; one without a handler and a key has one source for all. */
    this.isShared = checked.key !== undefined || handler === undefined;
    for (const option of this.isShared ? [] : ['history', 'authorizeItem']) {
      if (checked[option] !== undefined) {
        throw new InvalidOptionError(
          option,
          checked[option],
          'used together with the option `key`: only shared sources have it',
          undefined,
          subscription,
        );
      }
    }
    /** Its shared sources by their keys. */
    this.sources = this.isShared ? new SharedSources(this) : undefined;
    /** @type {Set<import('./private-source').PrivateSource>} those that have a subscriber */
    this.privateSources = new Set();
  }

  /**
   * @param {object} more what is special about the channel
   * @param {boolean} more.reportsCredit whether it is to report what subscribers have acknowledged
   * @param {number} [more.history=0] how many items it is to keep
   * @returns {object} the options of a channel for its items
   */
  channelOptions({ reportsCredit, history = 0 }) {
    const { window, maxQueuedBytes, overflow, ackTimeout } = this.options;
    return { window, history, maxQueuedBytes, overflow, ackTimeout, reportsCredit };
  }

  /**
   * A socket keeps what was bound when it authenticated.
   *
   * @returns {SubscriptionDefinition} what has replaced it since, if anything has
   */
  current() {
    return this.isRemoved
      ? (this.instance._definitions.subscriptions.get(this.name) ?? this)
      : this;
  }

  /**
   * It is defined no more: its subscriptions end.
   *
   * @returns {void}
   */
  remove() {
    this.isRemoved = true;
    this.sources?.removeAll();
    for (const source of [...this.privateSources]) {
      source.end('removed');
    }
  }
}

/**
 * Tells the arguments of `defineSubscription(name, [handler], [options])` apart.
 *
 * @param {unknown[]} args those behind the name
 * @returns {{handler: unknown, options: unknown}} what they are
 */
function handlerAndOptions(args) {
  const [first, second] = args;
  // With a model that is undefined, a mistake in a handler, and no option.
  if (args.length < 2 && isPlainObject(first) && !Object.hasOwn(first, 'model')) {
    return { handler: undefined, options: first };
  }
  return { handler: first ?? undefined, options: second };
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is a function, or names a method of a model that may come later
 */
function isHandler(value) {
  return typeof value === 'function' || (isPlainObject(value) && Boolean(value.model));
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is an object with options
 */
function isPlainObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

module.exports = { SubscriptionDefinition, handlerAndOptions };
