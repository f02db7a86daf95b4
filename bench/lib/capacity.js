'use strict';

// What a server sustains: the highest rate of calls, on 50 connections, at which it keeps up.
//
// It keeps up with a rate if every call is answered and the 99th percentile of the latency, from
// when a call was due, stays within LAG, twice in a row. A server that falls behind is later with
// every call and passes that within a second or two. The search halves an interval around what
// the server answers in a closed loop of 50 × 8.

const { ORIGINALS } = require('../servers');
const { LoadError } = require('./generator');
const { run } = require('./measure');

const CONNECTIONS = 50;
const WINDOW = 8;

/** Where the search begins, in parts of what the closed loop gave. */
const INTERVAL = { low: 0.6, high: 2 };

/** How late a call in a hundred may be answered by a server that keeps up, in ms. */
const LAG = 25;

/**
 * Whether a server kept up with a paced load.
 * @param {number} p99 - in ms
 * @returns {boolean}
 */
const keptUp = (p99) => p99 <= LAG;

/**
 * @param {[string, string[]]} generator - what starts it
 * @param {string} server
 * @param {{ warmup: number, seconds: number }} times
 * @param {number} halvings
 * @returns {Promise<number>} calls per second
 */
async function sustained(generator, server, { warmup, seconds }, halvings) {
  const times = ['--warmup', warmup, '-s', seconds];
  const closed = await run(generator, {
    server,
    args: ['call', '--together', '-n', CONNECTIONS, '-w', WINDOW, ...times],
  });
  let low = INTERVAL.low * closed.calls_per_s;
  let high = INTERVAL.high * closed.calls_per_s;
  for (let i = 0; i < halvings; i++) {
    const rate = Math.round((low + high) / 2);
    const args = ['paced', '-n', CONNECTIONS, '-r', rate, ...times];
    const keeps =
      (await keepsUp(generator, server, args)) && (await keepsUp(generator, server, args));
    if (keeps) low = rate;
    else high = rate;
  }
  return Math.round(low);
}

/**
 * @param {[string, string[]]} generator - what starts it
 * @param {string} server
 * @param {(string|number)[]} args - a paced load
 * @returns {Promise<boolean>}
 */
async function keepsUp(generator, server, args) {
  try {
    const report = await run(generator, { server, args });
    return keptUp(report.latency.p99_us / 1000);
  } catch (err) {
    // Answers that are missing when the time is up are what falling behind comes to in the end.
    if (err instanceof LoadError && err.report?.unanswered > 0 && err.report.mismatched === 0) {
      return false;
    }
    throw err;
  }
}

/**
 * What each of the originals sustains.
 * @param {[string, string[]]} generator - what starts it
 * @param {{ warmup: number, seconds: number }} times
 * @param {number} halvings
 * @returns {Promise<Record<string, number>>} calls per second, by server
 */
async function findCapacity(generator, times, halvings) {
  const rates = {};
  for (const server of ORIGINALS)
    rates[server] = await sustained(generator, server, times, halvings);
  return rates;
}

module.exports = { LAG, keptUp, findCapacity };
