'use strict';

// Runs what is to be measured, round by round, and gathers the figures. A load that fails is noted,
// and the rest goes on.

const { METRICS } = require('../metrics');
const { SERVERS } = require('../servers');
const { GROWTH_SERVERS } = require('../growth');
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
   * @param {string} options.binary - the load generator
   * @param {number} options.rounds
   * @param {import('../cases').Setting} options.setting
   * @param {(line: string) => void} options.log
   */
  constructor({ binary, rounds, setting, log }) {
    this.binary = binary;
    this.rounds = rounds;
    this.setting = setting;
    this.log = log;
    /** @type {Failure[]} */
    this.failures = [];
  }

  /**
   * Measures cases on all servers.
   * @param {import('../cases').Case[]} cases
   * @returns {Promise<Record<string, import('./compare').CaseResult>>} by name
   */
  async compare(cases) {
    const { warmup, seconds } = this.setting;
    const loads = cases.map(({ name, metrics, load, eio, watchLoop }) => ({
      name,
      metrics,
      args: load(this.setting),
      eio,
      watch: watchLoop && { from: warmup, to: warmup + seconds },
      result: { servers: {} },
    }));
    await this.measure(loads, Object.keys(SERVERS));
    return Object.fromEntries(
      loads.map(({ name, args, result }) => [name, { load: args.join(' '), ...result }]),
    );
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
        return { series: name, name: `${name} ${x}`, metrics, ...rest, result: { x, servers: {} } };
      }),
    );
    await this.measure(loads, GROWTH_SERVERS);
    return Object.fromEntries(
      series.map(({ name }) => [
        name,
        loads.filter((load) => load.series === name).map((load) => load.result),
      ]),
    );
  }

  /**
   * Runs loads in all rounds on all servers, and adds the figures to their results.
   * @param {(Omit<import('./measure').Load, 'server'> & { name: string, metrics: string[],
   *   result: import('./compare').CaseResult })[]} loads
   * @param {string[]} servers
   * @returns {Promise<void>}
   */
  async measure(loads, servers) {
    const total = this.rounds * loads.length * servers.length;
    const begun = Date.now();
    let done = 0;
    for (const { round, item: load, server } of turns({
      rounds: this.rounds,
      items: loads,
      servers,
    })) {
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
  async once({ name, metrics, result, ...load }, server, round) {
    try {
      const values = figures(metrics, await run(this.binary, { ...load, server }));
      result.servers[server] ??= Object.fromEntries(metrics.map((metric) => [metric, []]));
      for (const metric of metrics) result.servers[server][metric].push(values[metric]);
      const { unit } = METRICS[metrics[0]];
      return `${Number(values[metrics[0]].toPrecision(4)).toLocaleString('en')} ${unit}`;
    } catch (err) {
      this.failures.push({ what: name, server, round, reason: err.message });
      return `FAILED: ${err.message}`;
    }
  }
}

module.exports = { Bench };
