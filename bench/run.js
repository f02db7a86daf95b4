'use strict';

// `npm run bench`: measures the servers in turns, with the same app and the same load, and with two
// load generators.
//
//   npm run bench               the main cases, in a few minutes; shows a table
//   npm run bench -- --full     every case and how costs grow; makes docs/benchmarks.md anew
//   npm run bench -- --cases    every case, without how costs grow
//   npm run bench -- --one-core the cases of real traffic, with one core for the server; makes that part anew
//   npm run bench -- --growth   how costs grow, alone; makes that part of docs/benchmarks.md anew
//   npm run bench -- --scale    servers in a cluster; makes that part of docs/benchmarks.md anew
//
//   --again <names>     measures these cases or groups of the full run anew, in as many rounds, and
//                       puts them in the place of what there was; docs/benchmarks.md says so
//
//   --only <names>      cases, groups and series of these names, separated by commas
//   --rounds <number>   so many rounds
//   --seconds <number>  figures of so many seconds
//
// The results are written after every round, so that a run that is ended early has those before it.
// What any of the last three leads to is left in bench/results/partial.json; the report stays. With
// --scale, names are those of bench/scale/cases.js.
// The exit code is 1 if any answer was wrong or missing, on whichever server.

const { parseArgs } = require('node:util');
const { CASES, GROUPS, ONE_CORE } = require('./cases');
const { GROWTH } = require('./growth');
const { Bench } = require('./lib/bench');
const { build } = require('./lib/build');
const { findCapacity } = require('./lib/capacity');
const environment = require('./lib/environment');
const { commands } = require('./lib/generator');
const { installPeers } = require('./lib/peers');
const results = require('./lib/results');
const { makeReport } = require('./report/make');
const { terminalReport } = require('./report/terminal');
const { measureScale } = require('./scale');

/**
 * A part of a run, with a result file of its own.
 * @typedef {object} Plan
 * @property {string} name - of the file
 * @property {number} rounds
 * @property {number} warmup - seconds before the figures of a load are taken
 * @property {number} seconds - for which they are taken
 * @property {number} halvings - of the interval in which the capacity is searched
 * @property {import('./cases').Case[]} cases
 * @property {import('./growth').Series[]} growth
 * @property {boolean} [hasPeers] - whether peers are measured, too
 * @property {string} [serverCores] - the cores that the server gets, as taskset names them; all by default
 * @property {boolean} [isAgain] - whether its cases take the place of those there are
 */

/** @type {Record<string, Plan>} */
const PLANS = {
  quick: {
    name: 'quick',
    rounds: 3,
    warmup: 0.5,
    seconds: 1,
    halvings: 5,
    cases: CASES.filter((one) => one.quick),
    growth: [],
  },
  full: {
    name: 'full',
    rounds: 3,
    warmup: 0.3,
    seconds: 1,
    halvings: 5,
    hasPeers: true,
    cases: CASES,
    growth: [],
  },
  oneCore: {
    name: 'one-core',
    rounds: 3,
    warmup: 0.3,
    seconds: 1,
    halvings: 0,
    cases: CASES.filter((one) => ONE_CORE.includes(one.name)),
    growth: [],
    serverCores: '0',
  },
  growth: {
    name: 'growth',
    rounds: 3,
    warmup: 0.4,
    seconds: 1,
    halvings: 0,
    cases: [],
    growth: GROWTH,
  },
};

/** @returns {Record<string, string | boolean>} what the command line says */
function readOptions() {
  const { values } = parseArgs({
    options: {
      full: { type: 'boolean' },
      growth: { type: 'boolean' },
      cases: { type: 'boolean' },
      'one-core': { type: 'boolean' },
      scale: { type: 'boolean' },
      again: { type: 'string' },
      only: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
    },
  });
  return values;
}

/**
 * @param {ReturnType<typeof readOptions>} values
 * @returns {Plan[]} what the command line asks for
 */
function readPlans(values) {
  const names = [
    ...(values.full || values.cases ? ['full'] : []),
    ...(values.full || values['one-core'] ? ['oneCore'] : []),
    ...(values.full || values.growth ? ['growth'] : []),
  ];
  const plans = (names.length > 0 ? names : ['quick']).map((name) => PLANS[name]);
  const chosen = (values.again ?? values.only)?.split(',');
  const known = [...CASES, ...GROWTH].map(({ name }) => name).concat(Object.keys(GROUPS));
  const unknown = chosen?.filter((name) => !known.includes(name)) ?? [];
  if (unknown.length > 0) {
    throw new Error(`no such case: ${unknown.join(', ')}; there are ${known.join(', ')}`);
  }
  const choose = (list) =>
    list.filter(({ name, group }) => chosen.includes(name) || chosen.includes(group));
  if (values.again) {
    const again = { ...PLANS.full, cases: choose(CASES), isAgain: true };
    if (again.cases.length === 0) throw new Error('--again takes cases and groups, not series');
    return [values.rounds ? { ...again, rounds: Number(values.rounds) } : again];
  }
  if (!values.only && !values.rounds && !values.seconds) return plans;
  return [
    {
      ...plans[0],
      name: 'partial',
      hasPeers: true,
      cases: chosen ? choose(CASES) : plans.flatMap((plan) => plan.cases),
      growth: chosen ? choose(GROWTH) : plans.flatMap((plan) => plan.growth),
      ...(values.rounds && { rounds: Number(values.rounds) }),
      ...(values.seconds && { seconds: Number(values.seconds) }),
    },
  ];
}

/**
 * Measures what a plan asks for, and leaves the result in its file.
 * @param {Plan} plan
 * @param {string} binary - the load generator
 * @returns {Promise<import('./lib/results').Result>}
 */
async function carryOut(plan, binary) {
  const { name, rounds, warmup, seconds, halvings, cases, growth, hasPeers, isAgain } = plan;
  const started = Date.now();
  const times = { warmup, seconds };
  const missing = hasPeers ? await installPeers() : undefined;
  let capacity;
  if (cases.some((one) => one.needsCapacity)) {
    console.log('Looking for what the originals sustain ...');
    capacity = await findCapacity(commands(binary).rust, times, halvings);
    for (const server of Object.keys(capacity)) {
      console.log('    %s: %s calls/s', server, capacity[server].toLocaleString('en'));
    }
  }
  const setting = {
    ...times,
    capacity: capacity && Math.max(...Object.values(capacity)),
    connectionLimit: environment.connectionLimit(),
  };
  const before = isAgain ? results.read(name) : undefined;
  const result = {
    format: results.FORMAT,
    started: new Date(started).toISOString(),
    machine: environment.machine(),
    versions: environment.versions(),
    sources: environment.sources(),
    rounds,
    times,
    capacity,
    missing,
    cases: cases.length > 0 ? {} : undefined,
  };
  const save = (done) => {
    result.rounds = done;
    result.seconds = Math.round((Date.now() - started) / 1000);
    results.write(name, isAgain ? results.replaced(before, result) : result);
  };
  const log = (line) => console.log(line);
  const saved = cases.length > 0 ? save : undefined;
  if (plan.serverCores) process.env.BENCH_SERVER_CORES = plan.serverCores;
  else delete process.env.BENCH_SERVER_CORES;
  const bench = new Bench({ binary, rounds, setting, hasPeers, log, save: saved });
  result.failures = bench.failures;
  if (cases.length > 0) await bench.compare(cases, result.cases);
  if (growth.length > 0) result.growth = await bench.grow(growth);
  save(rounds);
  return result;
}

/** @returns {Promise<void>} */
async function main() {
  const options = readOptions();
  if (options.scale) {
    const { isKept, isRight } = await measureScale(await build(process.env), options);
    if (isKept) await makeReport();
    if (!isRight) process.exitCode = 1;
    return;
  }
  const plans = readPlans(options);
  const binary = await build(process.env);
  for (const plan of plans) {
    const result = await carryOut(plan, binary);
    console.log('\n%s', terminalReport(result));
    if (result.failures.length > 0) process.exitCode = 1;
  }
  const documented = plans.filter(({ name }) => ['full', 'one-core', 'growth'].includes(name));
  if (documented.length > 0) await makeReport();
}

main().catch((err) => {
  console.error('\n%s', err.stack);
  process.exitCode = 1;
});
