'use strict';

// The order of measurements: in every round each server has its turn at each case, and the turns
// move on, so that what changes on the machine with time meets all of them alike.

/**
 * A list, begun at another place.
 * @template T
 * @param {T[]} list
 * @param {number} by
 * @returns {T[]}
 */
function rotate(list, by) {
  const from = by % list.length;
  return [...list.slice(from), ...list.slice(0, from)];
}

/**
 * @template T
 * @param {object} plan
 * @param {number} plan.rounds
 * @param {T[]} plan.items - cases, or points
 * @param {(item: T) => string[]} plan.servers - those that have a turn at it
 * @returns {Generator<{ round: number, item: T, server: string }>}
 */
function* turns({ rounds, items, servers }) {
  for (let round = 0; round < rounds; round++) {
    for (const [i, item] of items.entries()) {
      for (const server of rotate(servers(item), round + i))
        yield { round: round + 1, item, server };
    }
  }
}

module.exports = { rotate, turns };
