'use strict';

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

/** @type {KnownFailure[]} */
const KNOWN_FAILURES = [];

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

module.exports = { KNOWN_FAILURES, knownFailure };
