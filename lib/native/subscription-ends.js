'use strict';

/**
 * The names of the reasons for which a channel ends a subscription.
 */

const { FINISHED, SLOW } = require('./protocol').SubscriptionEnd;

const NAMES = { [SLOW]: 'slow', [FINISHED]: 'finished' };

/**
 * @param {number} number a `SubscriptionEnd`
 * @returns {'slow' | 'finished'} its name
 */
function endOf(number) {
  return NAMES[number];
}

module.exports = { endOf };
