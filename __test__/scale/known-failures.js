'use strict';

const emitters = require('./features/emitters');

/**
 * Features that fail where a node of npm `socket.io` takes part, or with an adapter or emitter whatever the nodes, and
 * why. Each must fail when both nodes are npm's, or the run fails: an entry that is no longer true is to be removed.
 *
 * @typedef {object} KnownFailure
 * @property {string} feature - its title
 * @property {string[]} [adapters] - those it fails with; all when left out
 * @property {'everywhere' | 'npm acts' | 'npm is the other'} where - `everywhere`: the fault is in the adapter or the
 *   emitter, which run unchanged on native nodes; the others: in npm `socket.io`, and native nodes do better
 * @property {string} reason
 */

/** Why events to one socket of a node overtake a broadcast of that node. */
const PUBLISHES_FIRST =
  'The adapter waits until other nodes are sent a broadcast before it sends it to the clients of its own node.';

/** @type {KnownFailure[]} */
const KNOWN_FAILURES = [
  {
    feature: 'A local broadcast with a callback collects the answers of its node',
    where: 'npm acts',
    reason:
      'BroadcastOperator.emit() of npm waits for the answers of as many servers as there are, with `local` too, and so ' +
      'ends by its timeout. Native nodes know that only they answer.',
  },
  {
    feature: 'allSockets() has the ids of both nodes',
    where: 'everywhere',
    reason:
      'It is deprecated, and no adapter of today asks other nodes for it: it has the ids of its own node. ' +
      'fetchSockets() is the way.',
  },
  {
    feature: 'Whole numbers of more than 64 bits reach clients of both nodes as they are',
    adapters: ['redis', 'ioredis'],
    where: 'everywhere',
    reason: 'notepack.io, by which @socket.io/redis-adapter encodes, has integers of 64 bits only.',
  },
  {
    feature: 'A broadcast arrives before the answer that its listener gives afterwards',
    adapters: ['redis-sharded', 'redis-streams', 'postgres', 'mongo', 'cluster'],
    where: 'everywhere',
    reason: PUBLISHES_FIRST,
  },
  {
    feature: 'Broadcasts and events to one socket arrive in the order of its node',
    adapters: ['redis-sharded', 'redis-streams', 'postgres', 'mongo', 'cluster'],
    where: 'everywhere',
    reason: PUBLISHES_FIRST,
  },
  {
    feature: 'A last broadcast arrives before the sockets of its node are disconnected',
    adapters: ['mongo'],
    where: 'everywhere',
    reason: `${PUBLISHES_FIRST} It disconnects them at once.`,
  },
  {
    feature: 'A node that cleans up a namespace is no longer counted in it',
    adapters: ['redis-streams'],
    where: 'everywhere',
    reason:
      '@socket.io/redis-streams-adapter keeps the subscriptions of a namespace that is closed, and counts subscribers.',
  },
  {
    feature: 'A node that cleans up a namespace is no longer counted in it',
    adapters: ['mongo'],
    where: 'everywhere',
    reason:
      '@socket.io/mongo-adapter does not tell other nodes that it closes: they count it until its heartbeats are ' +
      'missing for `heartbeatTimeout`, 10 seconds.',
  },
  {
    feature: 'A small broadcast does not overtake a large or a binary one',
    adapters: ['postgres'],
    where: 'everywhere',
    reason:
      '@socket.io/postgres-adapter inserts what is large or binary as a row before it notifies, and the others read ' +
      'that row before they broadcast.',
  },
  {
    feature: 'serverSideEmit() carries binary values to the other node',
    adapters: ['mongo'],
    where: 'everywhere',
    reason: '@socket.io/mongo-adapter passes on a Binary of the package bson here, not a Buffer.',
  },
  ...[...Object.keys(emitters.FEATURES), ...Object.keys(emitters.AUTHENTICATION)].map(
    (feature) => ({
      feature,
      adapters: ['postgres'],
      where: 'everywhere',
      reason:
        '@socket.io/postgres-emitter sends no `nsp`, without which @socket.io/postgres-adapter since 0.5 drops a message.',
    }),
  ),
];

/**
 * @param {string} feature
 * @param {string} adapter
 * @param {[string, string]} kinds - of the node that acts and of the other
 * @returns {KnownFailure | undefined}
 */
function knownFailure(feature, adapter, [acting, other]) {
  return KNOWN_FAILURES.find(
    (known) =>
      known.feature === feature &&
      (known.adapters === undefined || known.adapters.includes(adapter)) &&
      (known.where === 'everywhere' ||
        (known.where === 'npm acts' && acting === 'npm') ||
        (known.where === 'npm is the other' && other === 'npm')),
  );
}

module.exports = { knownFailure };
