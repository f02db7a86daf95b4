'use strict';

// Measures servers in a cluster: `npm run bench -- --scale`. The native server and npm socket.io take turns,
// each with two nodes on one Redis, under both load generators. The figures go to bench/results/scale.json
// and into docs/benchmarks.md.
//
//   --again remote-100,memory   these cases anew, in the place of what there was; `unchanged` is all of those
//                               below
//   --only remote-100,memory    only these cases, or cases of `npm run bench`
//   --rounds 1                  so many rounds
//   --seconds 1                 for how long figures are taken of `unchanged`
//
// What any of the last three leads to is left in bench/results/partial.json; the report stays.
//
// BENCH_BASELINE names the folder of a built package of before. The cases of `npm run bench` then run on it
// and on this one in turns: without an adapter nothing must be slower than it was.
//
// The exit code is 1 if any message was wrong or missing.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { isInstalled, startRedis } = require('../../__test__/scale/services/redis');
const { CASES, generatorsOf, metricsOf } = require('../cases');
const { QUESTIONS } = require('../control');
const { AppProcess } = require('../lib/app-process');
const environment = require('../lib/environment');
const { commands, load } = require('../lib/generator');
const { figures, run } = require('../lib/measure');
const results = require('../lib/results');
const { turns } = require('../lib/schedule');
const { openAll } = require('../nodegen/modes');
const { cost, sample } = require('../nodegen/procfs');
const { scaleReport } = require('../report/scale');
const { SETTLE, buildCounter } = require('../subscriptions/memory');
const { IDLE, JOINING, SCALE_CASES, SERVERS, WARM } = require('./cases');

const NODE = path.join(__dirname, 'node.js');

/** Bytes of padding in a message. */
const SIZE = 200;
/** How long nodes may take to find each other, in ms. */
const MEETING_LIMIT = 10_000;
const KIB = 1024;

/** The name of what is compared with BENCH_BASELINE. */
const UNCHANGED = 'unchanged';

/**
 * Cases of `npm run bench` that BENCH_BASELINE is compared in; not those whose load depends on what others
 * sustain.
 */
const UNCHANGED_CASES = CASES.filter((one) => !one.needsCapacity && one.group !== 'surroundings');

/**
 * @typedef {object} World
 * @property {Record<string, [string, string[]]>} generators
 * @property {{ url: string }} redis
 */

/**
 * @param {World} world
 * @param {import('./cases').ScaleCase} one
 * @param {string} server
 * @param {Record<string, string>} [env] - what it is told besides
 * @returns {Promise<AppProcess>} a node
 */
function startNode({ redis }, { adapter }, server, env = {}) {
  const command = [process.execPath, [NODE, server, adapter]];
  return AppProcess.run(server, command, { BENCH_REDIS: redis.url, ...env });
}

/**
 * @param {AppProcess} node
 * @param {string} request
 * @returns {Promise<any>} its answer
 */
async function get(node, request) {
  const response = await fetch(`http://127.0.0.1:${node.port}${request}`);
  if (!response.ok) throw new Error(`${request}: ${response.status}`);
  return response.json();
}

/**
 * @param {AppProcess[]} nodes
 * @returns {Promise<void>} when each of them knows all
 */
async function meet(nodes) {
  const end = Date.now() + MEETING_LIMIT;
  for (const node of nodes) {
    while (!(await get(node, `/ready?servers=${nodes.length}`))) {
      if (Date.now() > end) throw new Error('the nodes do not find each other');
    }
  }
}

/** How each kind of case is measured: figures, by their names. */
const MEASURES = {
  async broadcast(world, one, server, by) {
    const nodes = [await startNode(world, one, server)];
    try {
      if (one.remote) {
        nodes.push(await startNode(world, one, server));
        await meet(nodes);
      }
      const [receiver, sender] = nodes;
      const fanout = (count, gap) => {
        const args = ['fanout', '-n', one.receivers, '-k', count, '--gap', gap, '--size', SIZE];
        const extra = sender ? ['--extra', JSON.stringify({ via: sender.port })] : [];
        return load(world.generators[by], receiver, ['--eio', 4, ...args, ...extra]);
      };
      await fanout(WARM / one.receivers, 0);
      const before = sender && sample(sender.pid);
      const report = await fanout(one.count, one.gap);
      const spent = sender && cost(before, sample(sender.pid), one.count);
      return {
        receiver: report.server_cpu_ms_per_1000 * one.receivers,
        main: report.main_thread_ms_per_1000 * one.receivers,
        ...(sender && { sender: spent.server_cpu_ms_per_1000 }),
      };
    } finally {
      await Promise.all(nodes.map((node) => node.stop()));
    }
  },

  async joins(world, one, server) {
    const node = await startNode(world, one, server);
    const clients = [];
    try {
      await openClients(node, JOINING.sockets, clients);
      await get(node, `/joins?rounds=${JOINING.rounds}`);
      return { joining: await get(node, `/joins?rounds=${JOINING.rounds}`) };
    } finally {
      for (const client of clients) client.destroy();
      await node.stop();
    }
  },

  async memory(world, one, server) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-'));
    const file = path.join(folder, 'count');
    const env = { LD_PRELOAD: await buildCounter(folder), MALLOC_COUNT_FILE: file };
    const node = await startNode(world, one, server, env);
    const clients = [];
    const read = async () => {
      await sleep(SETTLE);
      const { heapUsed, rss } = await node.ask(QUESTIONS.memory);
      return { heap: heapUsed, allocated: Number(fs.readFileSync(file).readBigInt64LE()), rss };
    };
    try {
      await openClients(node, IDLE / 5, clients);
      const before = await read();
      await openClients(node, IDLE, clients);
      const after = await read();
      const each = (name) => (after[name] - before[name]) / IDLE / KIB;
      const [heap, allocated] = [each('heap'), each('allocated')];
      return { memory: heap + allocated, heap, allocated, rss: each('rss') };
    } finally {
      for (const client of clients) client.destroy();
      await node.stop();
      fs.rmSync(folder, { recursive: true });
    }
  },
};

/**
 * Opens clients that authenticate and do nothing.
 * @param {AppProcess} node
 * @param {number} count
 * @param {object[]} clients - where they are added
 * @returns {Promise<void>}
 */
async function openClients(node, count, clients) {
  const target = {
    ...{ host: '127.0.0.1', port: node.port, path: '/socket.io/', eio: 4 },
    ...{ protocol: 'socket-io', transport: 'websocket', tls: false, together: false },
    credentials: '{"token":"secret"}',
  };
  clients.push(...(await openAll(count, target, {}, { errors: 0, complaints: [] })));
}

/** The generators that can put the load of each kind of case. */
const GENERATORS_OF = { broadcast: ['rust', 'node'], joins: ['node'], memory: ['node'] };

/**
 * @param {import('./cases').ScaleCase} one
 * @returns {string[]} the generators that put its load
 */
const generatorsFor = ({ kind }) => GENERATORS_OF[kind];

/**
 * Has servers take turns at items, and collects their figures.
 * @param {object} plan
 * @param {number} plan.rounds
 * @param {{ one: { name: string }, by: string }[]} plan.items
 * @param {string[]} plan.servers
 * @param {(item: { one: any, by: string }, server: string) => Promise<Record<string, number>>} plan.measure
 * @returns {Promise<{ cases: object, failures: object[] }>}
 */
async function collect({ rounds, items, servers, measure }) {
  const cases = {};
  const failures = [];
  for (const { one, by } of items) (cases[one.name] ??= {})[by] = { servers: {} };
  for (const { round, item, server } of turns({ rounds, items, servers: () => servers })) {
    const { one, by } = item;
    const told = `round ${round}  ${one.name}, ${by}  ${server}`;
    try {
      const found = await measure(item, server);
      const measured = (cases[one.name][by].servers[server] ??= {});
      for (const [name, value] of Object.entries(found)) {
        if (!Number.isFinite(value)) throw new Error(`the run has no figure for ${name}`);
        (measured[name] ??= []).push(Number(value.toPrecision(5)));
      }
      const [[name, value]] = Object.entries(found);
      console.log('%s  %s %s', told, value.toPrecision(4), name);
    } catch (err) {
      failures.push({ what: `${one.name}, ${by}`, server, round, reason: err.message });
      console.log('%s  FAILED: %s', told, err.message);
    }
  }
  return { cases, failures };
}

/**
 * Measures clusters.
 * @param {string} binary - the load generator in Rust
 * @param {import('./cases').ScaleCase[]} cases
 * @param {number} rounds
 * @returns {Promise<{ cases: object, failures: object[] }>}
 */
async function measureClusters(binary, cases, rounds) {
  if (cases.length === 0) return { cases: {}, failures: [] };
  if (!isInstalled()) throw new Error('redis-server is not installed');
  const world = { generators: commands(binary), redis: await startRedis() };
  try {
    return await collect({
      rounds,
      items: cases.flatMap((one) => generatorsFor(one).map((by) => ({ one, by }))),
      servers: Object.keys(SERVERS),
      measure: ({ one, by }, server) => MEASURES[one.kind](world, one, server, by),
    });
  } finally {
    await world.redis.stop();
  }
}

/**
 * Compares the native server with that of before, without an adapter.
 * @param {string} binary - the load generator in Rust
 * @param {string} baseline - the folder of the package of before
 * @param {{ rounds: number, seconds: number, cases: import('../cases').Case[] }} plan
 * @returns {Promise<{ cases: object, failures: object[] }>}
 */
function measureUnchanged(binary, baseline, { rounds, seconds, cases }) {
  const generators = commands(binary);
  const setting = { warmup: 0.3, seconds, connectionLimit: environment.connectionLimit() };
  return collect({
    rounds,
    items: cases.flatMap((one) => generatorsOf(one).map((by) => ({ one, by }))),
    servers: ['native', 'before'],
    async measure({ one, by }, server) {
      const env = { ...one.env, ...(server === 'before' && { BENCH_PACKAGE: baseline }) };
      const args = one.load(setting);
      const what = { server: 'native', args, env, ...(one.eio && { eio: one.eio }) };
      const metrics = metricsOf(one, by).filter((name) => !/loop/i.test(name));
      return figures(metrics, await run(generators[by], what));
    },
  });
}

/**
 * @param {string} binary - the load generator in Rust
 * @param {{ again?: string, only?: string, rounds?: string, seconds?: string }} values - of the command
 *   line
 * @returns {Promise<{ isKept: boolean, isRight: boolean }>} whether the report is to be made anew, and
 *   whether every message was as it had to be
 */
async function measureScale(binary, values) {
  const { again, only, rounds = '3', seconds = '1' } = values;
  const own = [...SCALE_CASES.map(({ name }) => name), UNCHANGED];
  const names = [...own, ...UNCHANGED_CASES.map(({ name }) => name)];
  const chosen = (again ?? only)?.split(',') ?? own;
  const isKept = again !== undefined || !(only ?? values.rounds ?? values.seconds);
  const unknown = chosen.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new Error(`no such case: ${unknown.join(', ')}; there are ${names.join(', ')}`);
  }
  const { BENCH_BASELINE } = process.env;
  const isAgain = (name) => chosen.includes(name);
  const what = {
    started: new Date().toISOString(),
    machine: environment.machine(),
    versions: environment.scaleVersions(),
    sources: environment.sources(),
    rounds: Number(rounds),
  };
  const before = isKept ? results.read('scale') : undefined;
  const cases = SCALE_CASES.filter(({ name }) => isAgain(name));
  const measured = await measureClusters(binary, cases, Number(rounds));
  const kept = (before?.failures ?? []).filter((one) => !isAgain(one.what.split(',')[0]));
  const result = {
    format: results.FORMAT,
    ...(cases.length > 0 || !before ? what : before),
    cases: { ...before?.cases, ...measured.cases },
    failures: [...kept, ...measured.failures],
    unchanged: before?.unchanged,
  };
  const compared = UNCHANGED_CASES.filter(({ name }) => isAgain(UNCHANGED) || isAgain(name));
  if (compared.length > 0 && BENCH_BASELINE) {
    const plan = { rounds: Number(rounds), seconds: Number(seconds), cases: compared };
    const { cases: anew, failures } = await measureUnchanged(
      binary,
      path.resolve(BENCH_BASELINE),
      plan,
    );
    const others = isAgain(UNCHANGED) ? {} : before?.unchanged?.cases;
    result.unchanged = { ...what, cases: { ...others, ...anew }, failures };
  }
  results.write(isKept ? 'scale' : 'partial', result);
  console.log('\n%s', scaleReport(result));
  const failures = [...result.failures, ...(result.unchanged?.failures ?? [])];
  return { isKept, isRight: failures.length === 0 };
}

module.exports = { NODE, UNCHANGED_CASES, measureScale };
