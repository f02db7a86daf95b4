'use strict';

/**
 * `npm run test:scale`: every feature that works from one node to another, with every adapter of the ecosystem, on
 * real servers: one mixture of npm `socket.io` and native nodes per adapter. `-- --all` runs all mixtures, an adapter's
 * name only that adapter, `npm+native` only that mixture, another word only features whose title has it. What fails in
 * a cluster (nodes, services, networks) comes after the features of its adapter. Ends with a table and the totals.
 */

const { ADAPTERS, Cluster } = require('./cluster');
const { SERVICES } = require('./adapters');
const { GROUPS } = require('./features');
const { runFailures } = require('./failures/run');
const { knownFailure } = require('./known-failures');

/** The kinds of the node that acts and of the other one. */
const MIXTURES = [
  ['npm', 'npm'],
  ['npm', 'native'],
  ['native', 'npm'],
  ['native', 'native'],
];

/** The one mixture of each adapter that runs without `--all`. */
const MIXTURE_OF = {
  redis: ['npm', 'native'],
  'redis-sharded': ['native', 'npm'],
  'redis-streams': ['npm', 'native'],
  postgres: ['native', 'npm'],
  mongo: ['npm', 'native'],
  cluster: ['native', 'npm'],
};

/** Milliseconds that a feature may take; every wait in it ends earlier. */
const FEATURE_TIMEOUT = 20_000;

/** Milliseconds that one may take which is known to fail, most of them because nothing arrives. */
const KNOWN_TIMEOUT = 1000;

/**
 * @typedef {object} Result
 * @property {string} adapter
 * @property {string[]} kinds
 * @property {string} title
 * @property {'passed' | 'failed' | 'known'} outcome
 * @property {string} [detail] - why it failed
 */

/**
 * @param {Promise<void>} done
 * @param {number} timeout in milliseconds
 * @returns {Promise<void>} the same, rejected when it takes too long
 */
async function withinTime(done, timeout) {
  let timer;
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Took more than ${timeout} ms`)), timeout);
  });
  try {
    await Promise.race([done, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Runs features of one adapter with nodes of one mixture. */
class Mixture {
  /** @type {Result[]} */
  results = [];
  #adapter;
  #kinds;
  #url;

  /**
   * @param {string} adapter
   * @param {string[]} kinds
   * @param {string} url of its service
   */
  constructor(adapter, kinds, url) {
    this.#adapter = adapter;
    this.#kinds = kinds;
    this.#url = url;
  }

  /**
   * @param {import('./features').Group[]} groups
   * @param {(title: string) => boolean} isWanted
   * @returns {Promise<Result[]>}
   */
  async run(groups, isWanted) {
    for (const config of new Set(groups.map((group) => group.config))) {
      const features = groups
        .filter((group) => group.config === config)
        .filter((group) => !group.emitter || ADAPTERS[this.#adapter].emitter)
        .flatMap(({ features, waiting }) =>
          Object.entries(features).map(([title, run]) => ({ title, run, waiting })),
        )
        .filter(({ title }) => isWanted(title));
      if (features.length > 0) await this.#runOn(config, features);
    }
    return this.results;
  }

  /**
   * @param {object} [config] of the cluster
   * @param {{title: string, run: import('./features').Feature, waiting?: boolean}[]} features
   * @returns {Promise<void>}
   */
  async #runOn(config, features) {
    let cluster;
    try {
      cluster = await Cluster.start({
        ...config,
        adapter: this.#adapter,
        url: this.#url,
        kinds: this.#kinds,
      });
    } catch (error) {
      features.forEach(({ title }) => this.#note(title, error));
      return;
    }
    const outside = await ADAPTERS[this.#adapter].emitter?.(this.#url);
    const [a, b] = cluster.nodes;
    const connect = (node, options) => cluster.connect(node, options);
    const world = { a, b, adapter: this.#adapter, cluster, connect, emitter: outside?.emitter };
    const outcome = async ({ title, run }) => {
      const known = knownFailure(title, this.#adapter, this.#kinds);
      try {
        await withinTime(run(world), known === undefined ? FEATURE_TIMEOUT : KNOWN_TIMEOUT);
        this.#note(title);
      } catch (error) {
        this.#note(title, error);
      }
    };
    const waiting = features.filter((feature) => feature.waiting).map(outcome);
    for (const feature of features.filter((feature) => !feature.waiting)) {
      await outcome(feature);
      await cluster.closeClients();
    }
    await Promise.all(waiting);
    await cluster.stop();
    await outside?.end();
  }

  /**
   * @param {string} title of a feature
   * @param {Error} [error] why it failed
   * @returns {void}
   */
  #note(title, error) {
    const known = knownFailure(title, this.#adapter, this.#kinds);
    const result = { adapter: this.#adapter, kinds: this.#kinds, title };
    if (known === undefined) {
      const outcome = error === undefined ? 'passed' : 'failed';
      this.results.push({ ...result, outcome, detail: error?.stack });
    } else if (error === undefined) {
      const detail = `It passes, but known-failures.js says: ${known.reason}`;
      this.results.push({ ...result, outcome: 'failed', detail });
    } else {
      this.results.push({ ...result, outcome: 'known', detail: known.reason });
    }
  }
}

/**
 * @param {Result[]} results
 * @returns {Record<'passed' | 'failed' | 'known', number>}
 */
function count(results) {
  const counts = { passed: 0, failed: 0, known: 0 };
  for (const { outcome } of results) counts[outcome]++;
  return counts;
}

/**
 * @param {string[]} kinds
 * @returns {string}
 */
function nameOf(kinds) {
  return kinds.join('+');
}

/**
 * @param {Result[]} results
 * @returns {string} a line per adapter, a column per mixture
 */
function table(results) {
  const adapters = [...new Set(results.map(({ adapter }) => adapter))];
  const mixtures = [...new Set(results.map(({ kinds }) => nameOf(kinds)))];
  const rows = adapters.map((adapter) => [
    adapter,
    ...mixtures.map((mixture) => {
      const here = results.filter(
        (result) => result.adapter === adapter && nameOf(result.kinds) === mixture,
      );
      if (here.length === 0) return '';
      const { passed, failed, known } = count(here);
      return `${passed} passed, ${failed} failed, ${known} known`;
    }),
  ]);
  const lines = [['', ...mixtures], ...rows];
  const widths = lines[0].map((cell, at) => Math.max(...lines.map((line) => line[at].length)));
  return lines.map((line) => line.map((cell, at) => cell.padEnd(widths[at])).join('  ')).join('\n');
}

/**
 * @param {string} adapter
 * @param {string[][]} mixtures
 * @param {(title: string) => boolean} isWanted
 * @returns {Promise<Result[]>}
 */
async function runAdapter(adapter, mixtures, isWanted) {
  const { isInstalled, program, start } = SERVICES[ADAPTERS[adapter].service];
  if (!isInstalled()) {
    console.log(`note: NOT TESTED: the adapter ${adapter}, because ${program} is not installed`);
    return [];
  }
  const results = [];
  for (const kinds of mixtures) {
    const service = await start();
    const began = Date.now();
    const some = await new Mixture(adapter, kinds, service.url).run(GROUPS, isWanted);
    await service.stop();
    const { passed, failed, known } = count(some);
    const seconds = ((Date.now() - began) / 1000).toFixed(1);
    console.log(
      `${adapter} ${nameOf(kinds)}: ${passed} passed, ${failed} failed, ${known} known (${seconds} s)`,
    );
    for (const { title, outcome, detail } of some) {
      if (outcome === 'failed') {
        console.log(`  failed: ${title}\n${detail.replace(/^/gm, '    ')}`);
      }
    }
    results.push(...some);
  }
  return results;
}

/**
 * @param {string[]} args
 * @returns {Promise<void>}
 */
async function main(args) {
  const all = args.includes('--all');
  const names = args.filter((arg) => arg !== '--all');
  const adapters = names.filter((word) => word in ADAPTERS);
  const named = MIXTURES.filter((kinds) => names.includes(nameOf(kinds)));
  const words = names
    .filter((word) => !(word in ADAPTERS) && !named.some((kinds) => nameOf(kinds) === word))
    .map((word) => word.toLowerCase());
  const isWanted = (title) => words.every((word) => title.toLowerCase().includes(word));
  const chosen = adapters.length > 0 ? adapters : Object.keys(all ? ADAPTERS : MIXTURE_OF);
  const results = [];
  for (const adapter of chosen) {
    const usual = all ? MIXTURES : [MIXTURE_OF[adapter] ?? MIXTURE_OF.redis];
    const mixtures = named.length > 0 ? named : usual;
    results.push(...(await runAdapter(adapter, mixtures, isWanted)));
    results.push(...(await runFailures({ adapter, mixtures, all, isWanted })));
  }
  const { passed, failed } = count(results);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
  console.log('\n%s\n\n%d passed, %d failed', table(results), passed, failed);
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  console.log('\n0 passed, 1 failed');
  process.exitCode = 1;
});
