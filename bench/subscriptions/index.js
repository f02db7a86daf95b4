'use strict';

// Measures subscriptions: `npm run bench:subscriptions`. The servers take turns, with both load
// generators. The figures go to bench/results/subscriptions.json and into docs/benchmarks.md.
//
//   --only shared-paced,memory,cycles   these cases, memory or cycles, in the place of what there was
//   --rounds 1                          so many rounds
//   --servers native,broadcast          only these servers: the result is printed and not kept
//   --cycles 1000000                    so many subscriptions that begin and end
//
// It builds what it measures, and knows the variables of `npm run bench`. The exit code is 1 if any item
// was wrong or missing, or memory grew.

const { parseArgs } = require('node:util');
const { AppProcess } = require('../lib/app-process');
const { build } = require('../lib/build');
const environment = require('../lib/environment');
const { commands, load } = require('../lib/generator');
const { installPackages } = require('../lib/peers');
const results = require('../lib/results');
const { turns } = require('../lib/schedule');
const { makeReport } = require('../report/make');
const { FIGURES, SUBSCRIPTION_CASES } = require('./cases');
const { HELD, cycles, held } = require('./memory');
const { SUBSCRIPTION_SERVERS, commandOf, installedServers } = require('./servers');

/** Servers of our own whose memory is measured. */
const OURS = ['native', 'hosted-4'];

/**
 * Measures cases.
 * @param {string} binary - the load generator in Rust
 * @param {import('./cases').SubscriptionCase[]} cases
 * @param {number} rounds
 * @param {string[]} measurable - servers
 * @returns {Promise<{ cases: object, failures: object[] }>}
 */
async function measure(binary, cases, rounds, measurable) {
  const generators = commands(binary);
  const failures = [];
  const into = {};
  const items = cases.flatMap((one) => Object.keys(generators).map((by) => ({ one, by })));
  for (const { one, by } of items) {
    into[one.name] ??= {};
    into[one.name][by] = { load: ['subscribe', ...one.args].join(' '), servers: {} };
  }
  const servers = ({ one }) => one.servers.filter((name) => measurable.includes(name));
  for (const { round, item, server } of turns({ rounds, items, servers })) {
    const { one, by } = item;
    const told = `round ${round}  ${one.name}, ${by}  ${server}`;
    let app;
    try {
      app = await AppProcess.run(server, commandOf(server));
      const args = ['subscribe', ...SUBSCRIPTION_SERVERS[server].args, ...one.args];
      const report = await load(generators[by], app, args);
      const measured = (into[one.name][by].servers[server] ??= {});
      for (const [name, { read }] of Object.entries(FIGURES)) {
        (measured[name] ??= []).push(Number(read(report).toPrecision(5)));
      }
      console.log('%s  %s µs per item', told, FIGURES.cpu.read(report).toPrecision(4));
    } catch (err) {
      failures.push({ what: `${one.name}, ${by}`, server, round, reason: err.message });
      console.log('%s  FAILED: %s', told, err.message);
    } finally {
      await app?.stop();
    }
  }
  return { cases: into, failures };
}

/**
 * What idle subscriptions take.
 * @param {number} rounds
 * @returns {Promise<Record<string, Record<string, object[]>>>} by what, and by server
 */
async function measureMemory(rounds) {
  const memory = {};
  for (const what of HELD) {
    memory[what.name] = Object.fromEntries(OURS.map((server) => [server, []]));
    for (let round = 0; round < rounds; round++) {
      for (const server of OURS) {
        const found = await held(server, what);
        memory[what.name][server].push(found);
        const { heap, allocated } = found;
        console.log(
          `${what.title}, ${server}: ${heap} bytes in the heap, ${allocated} outside of it`,
        );
      }
    }
  }
  return memory;
}

/** @returns {Promise<void>} */
async function main() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      servers: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      cycles: { type: 'string', default: '1000000' },
    },
  });
  const names = [...SUBSCRIPTION_CASES.map(({ name }) => name), 'memory', 'cycles'];
  const chosen = values.only?.split(',') ?? names;
  const unknown = chosen.filter((name) => !names.includes(name));
  if (unknown.length > 0)
    throw new Error(`no such case: ${unknown.join(', ')}; there are ${names}`);
  const rounds = Number(values.rounds);
  const binary = await build(process.env);
  if (installedServers().length < Object.keys(SUBSCRIPTION_SERVERS).length) await installPackages();

  const cases = SUBSCRIPTION_CASES.filter(({ name }) => chosen.includes(name));
  if (values.servers) {
    await measure(binary, cases, rounds, values.servers.split(','));
    return;
  }
  const before = results.read('subscriptions');
  const what = {
    started: new Date().toISOString(),
    machine: environment.machine(),
    versions: environment.subscriptionVersions(),
    sources: environment.sources(),
    rounds,
  };
  const part = (name) => (chosen.includes(name) ? what : before?.parts[name]);
  const measured = await measure(binary, cases, rounds, installedServers());
  const isAgain = ({ what: failed }) => chosen.includes(failed.split(',')[0]);
  const result = {
    format: results.FORMAT,
    parts: {
      cases: cases.length > 0 ? what : before?.parts.cases,
      memory: part('memory'),
      cycles: part('cycles'),
    },
    cases: { ...before?.cases, ...measured.cases },
    memory: chosen.includes('memory') ? await measureMemory(rounds) : before?.memory,
    cycles: before?.cycles,
    failures: [...(before?.failures ?? []).filter((one) => !isAgain(one)), ...measured.failures],
  };
  if (chosen.includes('cycles')) {
    result.cycles = {};
    for (const server of OURS) {
      result.cycles[server] = await cycles(server, Number(values.cycles), (line) =>
        console.log(line),
      );
    }
  }
  results.write('subscriptions', result);
  await makeReport();
  const grown = Object.values(result.cycles ?? {}).some((one) => one.grown.length > 0);
  if (measured.failures.length > 0 || grown) process.exitCode = 1;
}

main().then(
  () => process.exit(),
  (err) => {
    console.error('\n%s', err.stack);
    process.exit(1);
  },
);
