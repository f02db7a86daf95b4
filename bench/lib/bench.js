'use strict';

// Runs what is to be measured, round by round, and gathers the figures. A load that fails is noted,
// and the rest goes on.

const { generatorsOf, metricsOf, peersOf } = require('../cases');
const { GROWTH_SERVERS } = require('../growth');
const { METRICS } = require('../metrics');
const { ALL, SERVERS, installedPeers } = require('../servers');
const { commands } = require('./generator');
const { figures, run } = require('./measure');
const { turns } = require('./schedule');

/**
 * @typedef {object} Failure
 * @property {string} what - the case or series, and the point
 * @property {string} server
 * @property {number} round
 * @property {string} reason
 */

/** A run of the bench. */
class Bench {
  /**
   * @param {object} options
   * @param {string} options.binary - the load generator in Rust
   * @param {number} options.rounds
   * @param {import('../cases').Setting} options.setting
   * @param {(line: string) => void} options.log
   * @param {boolean} [options.hasPeers] - whether peers are measured, too
   * @param {(rounds: number) => void} [options.save] - called after each round
   */
  constructor({ binary, rounds, setting, log, hasPeers = false, save = () => {} }) {
    this.hasPeers = hasPeers;
    this.commands = commands(binary);
    this.save = save;
    this.rounds = rounds;
    this.setting = setting;
    this.log = log;
    /** @type {Failure[]} */
    this.failures = [];
  }

  /**
   * Measures cases on their servers, with their generators.
   * @param {import('../cases').Case[]} cases
   * @param {import('./results').Result['cases']} into - what was measured until now, by case and
   *   generator
   * @returns {Promise<void>}
   */
  async compare(cases, into) {
    const { warmup, seconds } = this.setting;
    const peers = this.hasPeers ? installedPeers() : [];
    const loads = cases.flatMap((one) => {
      const { name, load, eio, env, watchLoop } = one;
      const between = { from: warmup, to: warmup + seconds };
      const args = load(this.setting);
      into[name] = {};
      return generatorsOf(one).map((generator) => {
        const result = { load: args.join(' '), servers: {} };
        into[name][generator] = result;
        return {
          ...{ name: `${name}, ${generator}`, metrics: metricsOf(one), args, eio, env, result },
          generator,
          watch: watchLoop === true ? between : watchLoop,
          servers: [
            ...Object.keys(SERVERS),
            ...peers.filter((peer) => peersOf(one).includes(peer)),
          ],
        };
      });
    });
    await this.measure(loads);
  }

  /**
   * Measures how costs grow.
   * @param {import('../growth').Series[]} series
   * @returns {Promise<Record<string, import('./compare').CaseResult[]>>} the points of each, by name;
   *   a point has the number of what grows as `x`
   */
  async grow(series) {
    const loads = series.flatMap(({ name, metrics, points, load }) =>
      points.map((wanted) => {
        const { x = wanted, ...rest } = load(wanted, this.setting);
        const result = { x, servers: {} };
        const shared = { generator: 'rust', servers: GROWTH_SERVERS, metrics, result };
        return { series: name, name: `${name} ${x}`, ...shared, ...rest };
      }),
    );
    await this.measure(loads);
    return Object.fromEntries(
      series.map(({ name }) => [
        name,
        loads.filter((load) => load.series === name).map((load) => load.result),
      ]),
    );
  }

  /**
   * Runs loads in all rounds on their servers, and adds the figures to their results.
   * @param {(Omit<import('./measure').Load, 'server'> & { name: string, metrics: string[],
   *   generator: string, servers: string[], result: import('./compare').CaseResult })[]} loads
   * @returns {Promise<void>}
   */
  async measure(loads) {
    const { rounds } = this;
    const total = rounds * loads.reduce((sum, { servers }) => sum + servers.length, 0);
    const begun = Date.now();
    let done = 0;
    let current = 1;
    const servers = (load) => load.servers;
    for (const { round, item: load, server } of turns({ rounds, items: loads, servers })) {
      if (round !== current) this.save(current);
      current = round;
      const outcome = await this.once(load, server, round);
      done++;
      const left = Math.round((((Date.now() - begun) / done) * (total - done)) / 60_000);
      const place = `${done}/${total}, ${left} min left`;
      this.log(`${place}  round ${round}  ${load.name}  ${server}  ${outcome}`);
    }
  }

  /**
   * Runs a load once.
   * @param {Parameters<Bench['measure']>[0][number]} load
   * @param {string} server
   * @param {number} round
   * @returns {Promise<string>} what came of it
   */
  async once({ name, metrics, result, generator, ...load }, server, round) {
    try {
      const wanted = metrics.filter((metric) => !ALL[server].lacks?.includes(metric));
      const report = await run(this.commands[generator], { ...load, server });
      const values = figures(wanted, report);
      result.servers[server] ??= Object.fromEntries(wanted.map((metric) => [metric, []]));
      for (const metric of wanted) result.servers[server][metric].push(values[metric]);
      const { unit } = METRICS[metrics[0]];
      return `${Number(values[metrics[0]].toPrecision(4)).toLocaleString('en')} ${unit}`;
    } catch (err) {
      this.failures.push({ what: name, server, round, reason: err.message });
      return `FAILED: ${err.message}`;
    }
  }
}

module.exports = { Bench };
