'use strict';

// `npm run bench`: measures the four servers in turns, with the same app and the same load.
//
//   npm run bench               the main cases, in a few minutes; shows a table
//   npm run bench -- --full     every case and how costs grow; makes docs/benchmarks.md anew
//   npm run bench -- --growth   how costs grow, alone; makes that part of docs/benchmarks.md anew
//
//   --again <names>     measures these cases of the full run anew, in as many rounds, and puts them in
//                       the place of what there was; docs/benchmarks.md says so
//
//   --only <names>      cases and series of these names, separated by commas
//   --rounds <number>   so many rounds
//   --seconds <number>  figures of so many seconds
//
// What any of the last three leads to is left in bench/results/partial.json; the report stays.
// The exit code is 1 if any answer was wrong or missing, on whichever server.

const { parseArgs } = require('node:util');
const { CASES } = require('./cases');
const { GROWTH } = require('./growth');
const { Bench } = require('./lib/bench');
const { build } = require('./lib/build');
const { findCapacity } = require('./lib/capacity');
const environment = require('./lib/environment');
const results = require('./lib/results');
const { makeReport } = require('./report/make');
const { terminalReport } = require('./report/terminal');

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
    rounds: 5,
    warmup: 0.4,
    seconds: 1.2,
    halvings: 5,
    cases: CASES,
    growth: [],
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

/** @returns {Plan[]} what the command line asks for */
function readPlans() {
  const { values } = parseArgs({
    options: {
      full: { type: 'boolean' },
      growth: { type: 'boolean' },
      again: { type: 'string' },
      only: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
    },
  });
  const names = values.full ? ['full', 'growth'] : values.growth ? ['growth'] : ['quick'];
  const plans = names.map((name) => PLANS[name]);
  const chosen = (values.again ?? values.only)?.split(',');
  const choose = (list) => list.filter(({ name }) => chosen.includes(name));
  if (values.again) return [{ ...PLANS.full, cases: choose(CASES), isAgain: true }];
  if (!values.only && !values.rounds && !values.seconds) return plans;
  return [
    {
      ...plans[0],
      name: 'partial',
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
  const { name, rounds, warmup, seconds, halvings, cases, growth, isAgain } = plan;
  const started = Date.now();
  const times = { warmup, seconds };
  let capacity;
  if (cases.some((one) => one.needsCapacity)) {
    console.log('Looking for what the originals sustain ...');
    capacity = await findCapacity(binary, times, halvings);
    for (const server of Object.keys(capacity)) {
      console.log('    %s: %s calls/s', server, capacity[server].toLocaleString('en'));
    }
  }
  const setting = {
    ...times,
    capacity: capacity && Math.max(...Object.values(capacity)),
    connectionLimit: environment.connectionLimit(),
  };
  const bench = new Bench({ binary, rounds, setting, log: (line) => console.log(line) });
  const result = {
    format: results.FORMAT,
    started: new Date(started).toISOString(),
    machine: environment.machine(),
    versions: environment.versions(),
    sources: environment.sources(),
    rounds,
    times,
    capacity,
    cases: cases.length > 0 ? await bench.compare(cases) : undefined,
    growth: growth.length > 0 ? await bench.grow(growth) : undefined,
    failures: bench.failures,
    seconds: Math.round((Date.now() - started) / 1000),
  };
  results.write(name, isAgain ? results.replaced(results.read(name), result) : result);
  return result;
}

/** @returns {Promise<void>} */
async function main() {
  const plans = readPlans();
  const binary = await build(process.env);
  for (const plan of plans) {
    const result = await carryOut(plan, binary);
    console.log('\n%s', terminalReport(result));
    if (result.failures.length > 0) process.exitCode = 1;
  }
  const documented = plans.filter(({ name }) => name === 'full' || name === 'growth');
  if (documented.length > 0) await makeReport();
}

main().catch((err) => {
  console.error('\n%s', err.stack);
  process.exitCode = 1;
});
