'use strict';

/**
 * What fails in clusters, and what must go on then. Every failure runs with npm nodes alone first: what these lose is
 * the yardstick.
 */

const { World } = require('./world');

/**
 * @typedef {object} Setting
 * @property {string} adapter
 * @property {[string, string]} kinds of the nodes
 * @property {{url: string, port: number, restart: Function}} service
 * @property {(config: object) => Promise<World>} start see `World.start`
 */

/**
 * @typedef {Record<string, number>} Figures what was lost, in broadcasts, and what took how many milliseconds
 */

/**
 * @typedef {object} Failure
 * @property {string[]} [not] the adapters that it cannot happen to
 * @property {boolean} [short] whether every run of the tests has it, with one adapter
 * @property {(setting: Setting) => Promise<Figures>} run
 * @property {(figures: Figures, npm: Figures) => void} [compare] throws if native nodes do worse than npm's
 */

/** @type {Record<string, Failure>} by title */
const FAILURES = {
  ...require('./kill'),
  ...require('./backend-restart'),
  ...require('./partition'),
  ...require('./migration'),
  ...require('./rooms'),
};

/**
 * @param {Failure} failure
 * @param {Omit<Setting, 'start'>} setting
 * @returns {Promise<Figures>}
 */
async function runFailure(failure, setting) {
  const worlds = [];
  const start = async (config) => {
    const world = await World.start({ ...setting, ...config });
    worlds.push(world);
    return world;
  };
  try {
    return await failure.run({ ...setting, start });
  } finally {
    await Promise.all(worlds.map((world) => world.stop()));
  }
}

module.exports = { FAILURES, runFailure };
