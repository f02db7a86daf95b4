'use strict';

/**
 * The option `connectionStateRecovery` of the native server.
 */

const { checkOptions, isCount, isDelay } = require('../../check-options');

/**
 * @typedef {object} RecoveryOptions
 * @property {number} [maxDisconnectionDuration=120000] for how many ms a client may be away
 * @property {boolean} [skipMiddlewares=true] whether the middleware of the namespace is left out for a socket
 *   that is recovered
 * @property {number} [maxSessions=50000] how many sessions are kept; the oldest are dropped. This one and those
 *   below hold without an adapter
 * @property {number} [maxPackets=100000] how many events are kept
 * @property {number} [maxPacketBytes=67108864] how many bytes these may take
 */

const COUNT = { check: isCount, needs: 'a whole number, 1 or more, or Infinity for no limit' };

const RULES = {
  maxDisconnectionDuration: {
    fallback: 120_000,
    check: isDelay,
    needs: 'a whole number of milliseconds from 1 to 2147483647',
  },
  skipMiddlewares: {
    fallback: true,
    check: (value) => typeof value === 'boolean',
    needs: 'true or false',
  },
  maxSessions: { ...COUNT, fallback: 50_000 },
  maxPackets: { ...COUNT, fallback: 100_000 },
  maxPacketBytes: { ...COUNT, fallback: 64 * 1024 * 1024 },
};

/**
 * @param {true | object} given what the application gave
 * @returns {RecoveryOptions} all of them
 * @throws {import('../../errors').InvalidOptionError} if one is unknown or impossible
 */
function recoveryOptions(given) {
  return checkOptions(
    RULES,
    given === true ? {} : given,
    'connectionStateRecovery',
    'the option connectionStateRecovery',
  );
}

module.exports = { recoveryOptions };
