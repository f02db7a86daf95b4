'use strict';

/**
 * Runs the failures of one adapter for `npm run test:scale`: first with npm nodes alone, then with native ones.
 */

const { ADAPTERS, SERVICES } = require('../adapters');
const { FAILURES, runFailure } = require('.');

/** The one adapter whose short failures every run of the tests has. */
const USUAL = 'redis';

/** Milliseconds that a failure may take; every wait in it ends earlier. */
const FAILURE_TIMEOUT = 240_000;

/**
 * @param {Promise<T>} done
 * @returns {Promise<T>} the same, rejected when it takes too long
 * @template T
 */
async function withinTime(done) {
  let timer;
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(reject, FAILURE_TIMEOUT, new Error(`Took more than ${FAILURE_TIMEOUT} ms`));
  });
  try {
    return await Promise.race([done, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * @param {import('.').Figures} figures
 * @returns {string}
 */
function describe(figures) {
  return Object.entries(figures)
    .map(([name, figure]) => `${name} ${figure}`)
    .join(', ');
}

/**
 * @param {object} run
 * @param {string} run.adapter
 * @param {string[][]} run.mixtures of nodes
 * @param {boolean} run.all whether also the long ones, and those of every adapter
 * @param {(title: string) => boolean} run.isWanted
 * @returns {Promise<import('../run').Result[]>}
 */
async function runFailures({ adapter, mixtures, all, isWanted }) {
  const { isInstalled, start } = SERVICES[ADAPTERS[adapter].service];
  const chosen = Object.entries(FAILURES).filter(
    ([title, { not = [], short }]) =>
      isWanted(title) && !not.includes(adapter) && (all || (short && adapter === USUAL)),
  );
  if (!isInstalled()) return [];
  const results = [];
  for (const [title, failure] of chosen) {
    /** @type {import('.').Figures | undefined} what npm nodes lost */
    let npm;
    for (const kinds of mixtures) {
      const result = { adapter, kinds, title };
      const began = performance.now();
      let figures = {};
      const service = await start();
      try {
        figures = await withinTime(runFailure(failure, { adapter, kinds, service }));
        if (kinds.every((kind) => kind === 'npm')) npm = figures;
        else if (npm) failure.compare?.(figures, npm);
        results.push({ ...result, outcome: 'passed' });
      } catch (error) {
        results.push({ ...result, outcome: 'failed', detail: error.stack });
      }
      await service.stop();
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      const { outcome, detail } = results.at(-1);
      console.log(
        `${adapter} ${kinds.join('+')}: ${title}: ${outcome}: ${describe(figures)} (${seconds} s)`,
      );
      if (detail) console.log(detail.replace(/^/gm, '    '));
    }
  }
  return results;
}

module.exports = { runFailures };
