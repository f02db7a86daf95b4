'use strict';

// The second load generator: several processes of Node, with `ws` and `http` as users' tools have
// them. `node bench/nodegen <options> <mode> <options>` takes the options of bench/loadgen that it
// knows, checks every answer, and prints a report with the same names.

const { fork } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { parseArgs } = require('node:util');
const { MODES, now } = require('./modes');
const { cost, sample } = require('./procfs');

/** Time for all processes to hear when they begin, in ms. */
const LEAD = 50;

/** Modes that end when all is done, not when a time is over. */
const WITHOUT_TIME = new Set(['fanout', 'storm', 'subscribe']);

/** Those of them that tell when their last message came. */
const TELLS_ELAPSED = new Set(['fanout', 'subscribe']);

const text = (value) => ({ type: 'string', default: value });
const OPTIONS = {
  host: text('127.0.0.1'),
  port: text('3000'),
  path: text('/socket.io/'),
  eio: text('4'),
  transport: text('websocket'),
  credentials: text('{"token":"secret"}'),
  'server-pid': { type: 'string' },
  tls: { type: 'boolean', default: false },
  resume: { type: 'boolean', default: false },
  processes: text('2'),
  connections: { ...text('50'), short: 'n' },
  window: { ...text('8'), short: 'w' },
  method: { ...text('double'), short: 'm' },
  payload: { ...text('0'), short: 'p' },
  rate: { ...text('1000'), short: 'r' },
  requests: text('16'),
  'no-keep-alive': { type: 'boolean', default: false },
  together: { type: 'boolean', default: false },
  warmup: text('1'),
  seconds: { ...text('5'), short: 's' },
  count: { ...text('100'), short: 'k' },
  size: text('200'),
  gap: text('0'),
  extra: text('{}'),
  protocol: text('socket-io'),
  name: text('orders'),
  broadcast: { type: 'boolean', default: false },
  warm: text('50'),
  missed: text('0'),
};

/**
 * @param {string[]} argv
 * @returns {{ mode: string, job: object, processes: number, warmup: number, seconds: number,
 *   serverPid: number | undefined }}
 */
function readJob(argv) {
  const { values, positionals } = parseArgs({
    args: argv,
    options: OPTIONS,
    allowPositionals: true,
  });
  const [mode] = positionals;
  if (!MODES[mode] || positionals.length !== 1) {
    throw new Error(`modes: ${Object.keys(MODES).join(', ')}`);
  }
  const number = (name) => {
    const value = Number(values[name]);
    if (!Number.isFinite(value)) throw new Error(`--${name}: not a number: ${values[name]}`);
    return value;
  };
  const { host, path: where, transport, credentials, tls, resume, together, protocol } = values;
  const target = {
    ...{ host, path: where, transport, credentials, tls, resume, together, protocol },
    port: number('port'),
    eio: number('eio'),
  };
  const numbers = [
    'connections',
    'window',
    'payload',
    'rate',
    'requests',
    'count',
    'size',
    'gap',
  ].concat(['warm', 'missed']);
  // Those that come back resume after one item, which one process has seen.
  const most = number('missed') > 0 ? 1 : number('processes');
  return {
    mode,
    job: {
      ...Object.fromEntries(numbers.map((name) => [name, number(name)])),
      method: values.method,
      name: values.name,
      isBroadcast: values.broadcast,
      keepAlive: !values['no-keep-alive'],
      total: number('connections'),
      extra: JSON.parse(values.extra),
      target,
    },
    processes: Math.min(most, number('connections')),
    warmup: WITHOUT_TIME.has(mode) ? 0 : number('warmup'),
    seconds: number('seconds'),
    serverPid: values['server-pid'] && number('server-pid'),
  };
}

/**
 * Deals a job among processes.
 * @param {object} job
 * @param {number} processes
 * @returns {object[]}
 */
function deal(job, processes) {
  const share = (number, i) => Math.floor(number / processes) + Number(i < number % processes);
  return Array.from({ length: processes }, (_, i) => ({
    ...job,
    connections: share(job.connections, i),
    requests: share(job.requests, i),
    rate: job.rate / processes,
    isFirst: i === 0,
  }));
}

/** A process of the generator. */
class Part {
  /**
   * @param {string} mode
   * @param {object} job
   */
  constructor(mode, job) {
    this.child = fork(path.join(__dirname, 'worker.js'), [], { serialization: 'advanced' });
    this.ended = once(this.child, 'exit');
    this.child.send({ mode, job });
  }

  /**
   * @param {object} [question] - without one, what it says by itself
   * @returns {Promise<any>} what it says next
   */
  async ask(question) {
    if (question) this.child.send(question);
    const [answer] = await Promise.race([
      once(this.child, 'message'),
      this.ended.then(([status]) => {
        throw new Error(`a process of the generator ended, exit code ${status}`);
      }),
    ]);
    if (answer.error) throw new Error(answer.error);
    return answer;
  }
}

/**
 * @param {number[]} values - in ms
 * @returns {object} figures in µs, as the other generator tells them
 */
function figures(values) {
  const sorted = Float64Array.from(values).sort();
  const at = (part) => Math.round(1000 * (sorted[Math.ceil(part * sorted.length) - 1] ?? NaN));
  return { p50_us: at(0.5), p90_us: at(0.9), p99_us: at(0.99), p999_us: at(0.999), max_us: at(1) };
}

/**
 * What the parts found, in one report.
 * @param {object[]} parts
 * @param {object} run
 * @returns {object}
 */
function reportOf(parts, { mode, job, elapsed, before, after }) {
  const sum = (read) => parts.reduce((all, part) => all + read(part), 0);
  const done = sum(({ tally }) => tally.done);
  const counts = ['errors', 'mismatched', 'unanswered'].map((name) => [
    name,
    sum(({ tally }) => tally[name]),
  ]);
  const names = TELLS_ELAPSED.has(mode) ? [] : Object.keys(parts[0].tally.samples);
  const samples = names.map((name) => [
    name === 'latency' ? name : `${name}_latency`,
    figures(parts.flatMap(({ tally }) => tally.samples[name])),
  ]);
  const perSecond = Math.round(done / elapsed);
  const rates = {
    call: { calls: done, calls_per_s: perSecond },
    paced: { calls: done, calls_per_s: perSecond, offered_per_s: job.rate },
    churn: { connections: done, connections_per_s: perSecond },
    storm: { connections: done, reconnections: sum(({ tally }) => tally.reconnections ?? 0) },
    fanout: { deliveries: done, deliveries_per_s: perSecond, broadcasts: job.count },
    subscribe: {
      deliveries: done,
      deliveries_per_s: perSecond,
      returned: job.missed > 0 ? job.connections : 0,
    },
    rest: { requests: done, requests_per_s: perSecond },
  };
  return {
    mode,
    elapsed_s: elapsed,
    ...rates[mode],
    ...Object.fromEntries(samples),
    ...Object.fromEntries(counts),
    ...cost(before, after, done),
    client_cpu_s: sum(({ cpu }) => cpu),
    writes: sum(({ traffic }) => traffic.writes),
    reads: sum(({ traffic }) => traffic.reads),
    ok: done > 0 && counts.every(([, count]) => count === 0),
  };
}

/**
 * Puts load on a server.
 * @param {string[]} argv
 * @returns {Promise<object>} the report
 */
async function run(argv) {
  const { mode, job, processes, warmup, seconds, serverPid } = readJob(argv);
  const parts = deal(job, processes).map((one) => new Part(mode, one));
  try {
    await Promise.all(parts.map((part) => part.ask()));
    if (mode === 'subscribe') await Promise.all(parts.map((part) => part.ask({ warm: true })));
    const begin = now() + LEAD;
    const from = begin + warmup * 1000;
    const times = { begin, from, until: from + seconds * 1000 };
    const look = () => serverPid && sample(serverPid);
    const isTimed = !WITHOUT_TIME.has(mode);
    let [before, after] = [look()];
    const results = parts.map((part) => part.ask({ times }));
    results.forEach((result) => result.catch(() => {})); // they are awaited below
    await sleep(from - now());
    if (isTimed) before = look();
    if (isTimed) {
      await sleep(times.until - now());
      after = look();
    }
    const done = await Promise.all(results);
    after ??= look();
    const last = TELLS_ELAPSED.has(mode) ? done.map(({ tally }) => tally.elapsed) : [now() - begin];
    const elapsed = isTimed ? seconds : Math.max(...last) / 1000;
    const report = reportOf(done, { mode, job, elapsed, before, after });
    if (!report.ok) {
      const { errors, mismatched, unanswered } = report;
      const counts = Object.entries({ errors, mismatched, unanswered });
      const told = counts.map(([name, count]) => `${count} ${name}`).join(', ');
      const nothing = counts.every(([, count]) => count === 0)
        ? 'nothing was answered in time; '
        : '';
      process.stderr.write(`nodegen: ${nothing}${told}\n`);
    }
    for (const { tally } of done) {
      for (const line of tally.complaints) process.stderr.write(`nodegen: ${line}\n`);
    }
    for (const part of parts) part.child.send({ close: true });
    await Promise.all(parts.map((part) => part.ended));
    return report;
  } finally {
    for (const { child } of parts) child.kill('SIGKILL');
  }
}

if (require.main === module) {
  run(process.argv.slice(2)).then(
    (report) => {
      console.log(JSON.stringify(report));
      process.exitCode = report.ok ? 0 : 2;
    },
    (err) => {
      console.error('nodegen: %s', err.message);
      process.exitCode = 1;
    },
  );
}

module.exports = { deal, figures, readJob };
