'use strict';

// One measurement: a fresh server, one load on it, the figures of that.

const { setTimeout: sleep } = require('node:timers/promises');
const { QUESTIONS } = require('../control');
const { METRICS } = require('../metrics');
const { ALL } = require('../servers');
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
 * @property {'whole' | { from: number, to: number }} [watch] - when to watch the event loop: all the
 *   time, or in seconds from the start of the load
 */

/**
 * Puts a load on a fresh server.
 * @param {[string, string[]]} generator - what starts it
 * @param {Load} what
 * @returns {Promise<object>} what the generator reported, and `loop` if the event loop was watched
 */
async function run(generator, { server, args, eio = ALL[server].eio, env, watch }) {
  const app = await AppProcess.start(server, env);
  try {
    const isWatched = watch && !ALL[server].lacks?.includes('loopMax');
    if (isWatched && watch === 'whole') await app.ask(QUESTIONS.watch);
    const watching = isWatched && watch !== 'whole' ? watchLoop(app, watch) : undefined;
    watching?.catch(() => {}); // it is awaited below, unless the load fails first
    const report = await load(generator, app, ['--eio', eio, ...args]);
    if (isWatched && watch === 'whole') return { ...report, loop: await app.ask(QUESTIONS.delay) };
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
  await app.ask(QUESTIONS.watch);
  await sleep((to - from) * 1000 - 2 * MARGIN);
  return app.ask(QUESTIONS.delay);
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
