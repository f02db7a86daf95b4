'use strict';

/**
 * What features share.
 */

const assert = require('node:assert/strict');

/**
 * @param {import('.').World} world
 * @param {object} [options] of the clients
 * @returns {Promise<import('../client').Client[]>} two clients of `a` and two of `b`
 */
function connectFour({ a, b, connect }, options) {
  return Promise.all([a, a, b, b].map((node) => connect(node, options)));
}

/**
 * Nothing else arrives: that is proved by an event sent afterwards on the same path.
 *
 * @param {import('../client').Client[]} clients
 * @param {unknown[][][]} expected - the events of each client before the event `end`
 * @returns {Promise<void>}
 */
async function receive(clients, expected) {
  const received = await Promise.all(clients.map((client) => client.until('end')));
  assert.deepEqual(received, expected);
}

/**
 * @param {unknown[]} values
 * @returns {unknown[]} sorted, since answers come in any order
 */
function sorted(values) {
  return [...values].sort();
}

module.exports = { connectFour, receive, sorted };
