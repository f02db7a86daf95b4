'use strict';

// Figures of one case, server against server. They are compared round by round: the speed of a machine may change
// from minute to minute, and the servers of a round run within seconds.

const { METRICS } = require('../metrics');
const { ORIGINALS } = require('../servers');
const { median, spread } = require('./statistics');

/**
 * What was measured in a case: values of each round, by server and metric.
 * @typedef {object} CaseResult
 * @property {Record<string, Record<string, number[]>>} servers
 */

/**
 * @param {CaseResult | undefined} result
 * @param {string} metric
 * @param {string} server
 * @returns {import('./statistics').Spread | undefined}
 */
function spreadOf(result, metric, server) {
  return spread(result?.servers[server]?.[metric]);
}

/**
 * @param {CaseResult | undefined} result
 * @param {string} metric
 * @param {string} server
 * @returns {number | undefined}
 */
function medianOf(result, metric, server) {
  return spreadOf(result, metric, server)?.median;
}

/**
 * The better one of some servers in one figure.
 * @param {CaseResult | undefined} result
 * @param {string} metric
 * @param {string[]} [servers] - the originals by default
 * @returns {string | undefined} undefined unless all of them were measured
 */
function better(result, metric, servers = ORIGINALS) {
  const values = servers.map((server) => medianOf(result, metric, server));
  if (values.includes(undefined)) return undefined;
  const best = METRICS[metric].better === 'more' ? Math.max(...values) : Math.min(...values);
  return servers[values.indexOf(best)];
}

/**
 * A figure of a server, divided by that of the better one of others: the median of what the rounds say, or, if a
 * run failed, what the medians say. Undefined where one is missing or too small to be told from nothing.
 * @param {CaseResult | undefined} result
 * @param {string} metric
 * @param {string} server
 * @param {string[]} [others] - the originals by default
 * @returns {number | undefined}
 */
function ratio(result, metric, server, others = ORIGINALS) {
  const other = better(result, metric, others);
  const value = medianOf(result, metric, server);
  const otherValue = medianOf(result, metric, other);
  if (!value || !otherValue) return undefined;
  const rounds = result.servers[server][metric];
  const otherRounds = result.servers[other][metric];
  return rounds.length === otherRounds.length && !otherRounds.includes(0)
    ? median(rounds.map((one, round) => one / otherRounds[round]))
    : value / otherValue;
}

/**
 * How many times better a figure of a server is: so many times more, or so many times less.
 * @param {CaseResult | undefined} result
 * @param {string} metric
 * @param {string} server
 * @param {string[]} [others] - the originals by default
 * @returns {number | undefined}
 */
function advantage(result, metric, server, others = ORIGINALS) {
  const value = ratio(result, metric, server, others);
  if (value === undefined) return undefined;
  return METRICS[metric].better === 'more' ? value : 1 / value;
}

module.exports = { advantage, better, medianOf, ratio, spreadOf };
