'use strict';

// What becomes of the series of growth: the steps of every cost, and the client beside a flood.

const { FLOOD_BOUND, GROWTH, GROWTH_SERVERS } = require('../growth');
const { medianOf } = require('../lib/compare');
const { steps } = require('../lib/linearity');

/**
 * @typedef {object} Verdict
 * @property {string} series
 * @property {string} metric
 * @property {string} server
 * @property {import('../lib/linearity').Step[]} steps
 */

/**
 * @param {Record<string, import('../lib/compare').CaseResult[]>} growth - of a result
 * @returns {Verdict[]}
 */
function judgeGrowth(growth) {
  return GROWTH.filter(({ name }) => growth[name]).flatMap(({ name, costs }) =>
    Object.entries(costs).flatMap(([metric, cost]) =>
      GROWTH_SERVERS.map((server) => {
        const points = growth[name]
          .map((point) => ({ x: point.x, y: medianOf(point, metric, server) }))
          .filter(({ y }) => y !== undefined)
          .map(({ x, y }) => ({ x, y: cost(y) }));
        return { series: name, metric, server, steps: steps(points) };
      }),
    ),
  );
}

/**
 * How a client fares beside a flood.
 * @param {Record<string, import('../lib/compare').CaseResult[]>} growth - of a result
 * @param {string} server
 * @returns {{ times: number, within: boolean } | undefined} its 99th percentile, in times of its
 *   idle value
 */
function judgeFlood(growth, server) {
  const [point] = growth.flood ?? [];
  const flooded = medianOf(point, 'flooded99', server);
  const idle = medianOf(point, 'idle99', server);
  if (flooded === undefined || idle === undefined) return undefined;
  return { times: flooded / idle, within: flooded / idle <= FLOOD_BOUND };
}

module.exports = { judgeFlood, judgeGrowth };
