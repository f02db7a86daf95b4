'use strict';

// One measurement: a fresh server, one load on it, the figures of that.

const { setTimeout: sleep } = require('node:timers/promises');
const { METRICS } = require('../metrics');
const { SERVERS } = require('../servers');
const { AppProcess } = require('./app-process');
const { load } = require('./generator');

/** How far the watch of the event loop stays away from the ends of a load, in ms. */
const MARGIN = 200;

/**
 * @typedef {object} Load
 * @property {string} server - one of `servers.js`
 * @property {(string|number)[]} args - of the load generator
 * @property {3|4} [eio] - the clients' revision of Engine.IO; the server's own by default
 * @property {Record<string, string>} [env] - what the app is told
 * @property {{ from: number, to: number }} [watch] - when to watch the event loop, in seconds from
 *   the start of the load
 */

/**
 * Puts a load on a fresh server.
 * @param {string} binary - of the load generator
 * @param {Load} what
 * @returns {Promise<object>} what the generator reported, and `loop` if the event loop was watched
 */
async function run(binary, { server, args, eio = SERVERS[server].eio, env, watch }) {
  const app = await AppProcess.start(server, env);
  try {
    const watching = watch && watchLoop(app, watch);
    watching?.catch(() => {}); // heard below, unless the load fails first
    const report = await load(binary, app, ['--eio', eio, ...args]);
    return { ...report, loop: await watching };
  } finally {
    await app.stop();
  }
}

/**
 * @param {AppProcess} app
 * @param {{ from: number, to: number }} watch
 * @returns {Promise<{ p50: number, p99: number, max: number }>} in ms
 */
async function watchLoop(app, { from, to }) {
  await sleep(from * 1000 + MARGIN);
  await app.ask('watch the event loop');
  await sleep((to - from) * 1000 - 2 * MARGIN);
  return app.ask('event loop delay');
}

/**
 * The figures of a report.
 * @param {string[]} metrics - of `metrics.js`
 * @param {object} report
 * @returns {Record<string, number>} by metric
 */
function figures(metrics, report) {
  return Object.fromEntries(
    metrics.map((name) => {
      const value = METRICS[name].read(report);
      if (!Number.isFinite(value)) throw new Error(`the run has no figure for ${name}`);
      return [name, value];
    }),
  );
}

module.exports = { run, figures };
