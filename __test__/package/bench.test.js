'use strict';

// The bench itself: its arithmetic, its verdicts, its report, and that the app under test serves the
// same methods on all servers. Nothing here is timed.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');
const { WebSocketServer } = require('ws');
const { CASES, GROUPS, ONE_CORE, generatorsOf, metricsOf, peersOf } = require('../../bench/cases');
const { GROWTH, GROWTH_SERVERS } = require('../../bench/growth');
const { QUESTIONS } = require('../../bench/control');
const { answer } = require('../../bench/floor');
const { AppProcess } = require('../../bench/lib/app-process');
const { advantage, better, ratio } = require('../../bench/lib/compare');
const { steps } = require('../../bench/lib/linearity');
const { figures } = require('../../bench/lib/measure');
const { turns } = require('../../bench/lib/schedule');
const results = require('../../bench/lib/results');
const { median, spread } = require('../../bench/lib/statistics');
const { METRICS } = require('../../bench/metrics');
const { decodePayload, encodePayload } = require('../../bench/nodegen/client');
const { headline } = require('../../bench/report/headline');
const { README, render, renderReadme } = require('../../bench/report/make');
const { judgeFlood, judgeGrowth } = require('../../bench/report/growth-verdicts');
const { figure, number, times } = require('../../bench/report/numbers');
const { terminalReport } = require('../../bench/report/terminal');
const { ALL, PEERS, SERVERS, installedPeers } = require('../../bench/servers');
const { grown } = require('../../bench/soak');
const { FIGURES, SUBSCRIPTION_CASES } = require('../../bench/subscriptions/cases');
const { HELD } = require('../../bench/subscriptions/memory');
const {
  SUBSCRIPTION_SERVERS,
  commandOf,
  installedServers,
} = require('../../bench/subscriptions/servers');
const {
  SCALE_CASES,
  SCALE_FIGURES,
  SCALE_TARGETS,
  SERVERS: CLUSTERS,
} = require('../../bench/scale/cases');
const { NODE } = require('../../bench/scale');
const { compareUnchanged, judgeScale } = require('../../bench/report/scale');
const { judgeSubscriptions } = require('../../bench/report/subscriptions');
const { judge } = require('../../bench/targets');

const NODEGEN = path.join(__dirname, '..', '..', 'bench', 'nodegen');

/**
 * Runs the generator in Node.
 * @param {number} port
 * @param {string} args
 * @returns {Promise<{ status: number, report: any, stderr: string }>}
 */
async function generate(port, args) {
  const child = spawn(process.execPath, [NODEGEN, '--port', String(port), ...args.split(' ')]);
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => {
      output[name] += text;
    });
  }
  const [status] = await once(child, 'close');
  const report = output.stdout && JSON.parse(output.stdout);
  return { status, report, stderr: output.stderr };
}

const SETTING = { warmup: 0.5, seconds: 1, capacity: 50_000, connectionLimit: 19_800 };

/**
 * A measurement of a metric on each server, three rounds.
 * @param {Record<string, number>} medians - by server
 * @returns {Record<string, number[]>} by server
 */
const rounds = (medians) =>
  Object.fromEntries(Object.entries(medians).map(([server, m]) => [server, [m * 0.9, m, m * 1.1]]));

/**
 * The result of a case.
 * @param {string[]} metrics
 * @param {Record<string, number>} medians - by server
 * @returns {import('../../bench/lib/compare').CaseResult}
 */
function resultOf(metrics, medians) {
  const servers = Object.entries(rounds(medians)).map(([server, values]) => [
    server,
    Object.fromEntries(metrics.map((metric) => [metric, values])),
  ]);
  return { load: 'call', servers: Object.fromEntries(servers) };
}

/** A result that has everything: the native server is twice as good in all of it. */
function wholeResult() {
  const medians = (better, names) => {
    const [worse, best] = better === 'more' ? [100, 200] : [200, 100];
    return Object.fromEntries(names.map((name) => [name, name === 'native' ? best : worse]));
  };
  const cases = CASES.map((one) => {
    const measured = generatorsOf(one).map((generator) => {
      const result = { load: `idle -n 19800 ${one.name}`, servers: {} };
      const names = [...Object.keys(SERVERS), ...peersOf(one)];
      for (const metric of metricsOf(one)) {
        const { servers } = resultOf([metric], medians(METRICS[metric].better, names));
        for (const server of Object.keys(servers)) {
          result.servers[server] = { ...result.servers[server], ...servers[server] };
        }
      }
      return [generator, result];
    });
    return [one.name, Object.fromEntries(measured)];
  });
  const growth = GROWTH.map(({ name, metrics, points }) => [
    name,
    points.map((x) => ({ x, ...resultOf(metrics, { 'original-4': 2 * x, native: x }) })),
  ]);
  const common = {
    format: 2,
    started: '2026-01-02T03:04:05.000Z',
    seconds: 60,
    rounds: 3,
    times: { warmup: 0.5, seconds: 1 },
    machine: {
      cpu: 'a processor',
      cores: 2,
      memoryGiB: 8,
      kernel: 'Linux 6',
      architecture: 'x64',
      descriptors: 20_000,
    },
    versions: { node: 'v20.0.0' },
    sources: { commit: 'abc', modified: false },
    failures: [],
  };
  return {
    full: {
      ...common,
      capacity: { 'original-2': 50_000, 'original-4': 40_000 },
      cases: Object.fromEntries(cases),
    },
    growth: { ...common, growth: Object.fromEntries(growth) },
  };
}

/** A result of subscriptions in which the native server just reaches what it must. */
function subscriptionsResult() {
  const medians = { broadcast: 1, native: 1.5, 'hosted-4': 5, 'graphql-ws': 15, trpc: 20 };
  const cases = SUBSCRIPTION_CASES.map(({ name, servers }) => {
    const chosen = Object.fromEntries(servers.map((server) => [server, medians[server]]));
    const measured = { servers: {} };
    for (const metric of Object.keys(FIGURES)) {
      for (const [server, values] of Object.entries(resultOf([metric], chosen).servers)) {
        measured.servers[server] = { ...measured.servers[server], ...values };
      }
    }
    return [name, { rust: measured, node: structuredClone(measured) }];
  });
  const found = { subscriptions: 1000, heap: 200, allocated: 100 };
  const samples = Array.from({ length: 10 }, () => ({ rss: 1e8, heapUsed: 1e7 }));
  const part = {
    started: '2026-01-02T03:04:05.000Z',
    rounds: 3,
    versions: { ws: '8.0.0' },
    sources: { commit: 'abc', modified: false },
  };
  return {
    parts: { cases: part, memory: part, cycles: part },
    cases: Object.fromEntries(cases),
    memory: Object.fromEntries(HELD.map(({ name }) => [name, { native: [found] }])),
    cycles: { native: { cycles: 1_000_000, samples, grown: [] } },
    failures: [],
  };
}

describe('the arithmetic of the bench', () => {
  it('the bench reports median, minimum and maximum of the rounds', () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4, 1, 3, 2]), 2.5);
    assert.deepEqual(spread([5, 1, 3]), { median: 3, min: 1, max: 5 });
    assert.equal(spread([]), undefined);
  });

  it('the bench compares with the better original in each figure', () => {
    const servers = {
      'original-2': { calls: [100], cpu: [10] },
      'original-4': { calls: [80], cpu: [8] },
      native: { calls: [250], cpu: [4] },
    };
    assert.equal(better({ servers }, 'calls'), 'original-2');
    assert.equal(better({ servers }, 'cpu'), 'original-4');
    assert.equal(ratio({ servers }, 'calls', 'native'), 2.5);
    assert.equal(ratio({ servers }, 'cpu', 'native'), 0.5);
    assert.equal(advantage({ servers }, 'cpu', 'native'), 2);
    assert.equal(ratio({ servers }, 'calls', 'hosted-4', ['original-4']), undefined);
  });

  it('the bench compares round by round, since a machine is not always as fast', () => {
    const servers = {
      'original-2': { calls: [100, 50, 100] },
      'original-4': { calls: [80, 40, 80] },
      native: { calls: [200, 100, 100] },
    };
    assert.equal(ratio({ servers }, 'calls', 'native'), 2);
    servers.native.calls.pop();
    assert.equal(ratio({ servers }, 'calls', 'native'), 1.5, 'a run failed: 150 to 100');
  });

  it('the bench does not compare with only one original', () => {
    const servers = { 'original-2': { calls: [100] }, native: { calls: [250] } };
    assert.equal(ratio({ servers }, 'calls', 'native'), undefined);
  });

  it('the bench finds the step whose cost grows faster than linearly', () => {
    const points = [
      { x: 1, y: 5 },
      { x: 10, y: 5 },
      { x: 100, y: 50 },
      { x: 200, y: 200 },
    ];
    const found = steps(points);
    assert.deepEqual(
      found.map(({ exponent }) => Number(exponent.toFixed(6))),
      [0, 1, 2],
    );
    assert.deepEqual(
      found.map(({ linear }) => linear),
      [true, true, false],
    );
  });

  it('the bench runs every server in every case of every round and rotates the order', () => {
    const servers = ['a', 'b', 'c'];
    const all = [...turns({ rounds: 3, items: ['x', 'y'], servers: () => servers })];
    assert.equal(all.length, 18);
    assert.equal(new Set(all.map((turn) => Object.values(turn).join())).size, 18);
    const firsts = all.filter((_, i) => i % 3 === 0).map(({ server }) => server);
    assert.deepEqual(firsts, ['a', 'b', 'b', 'c', 'c', 'a']);
  });

  it('the bench prints figures with three digits', () => {
    assert.equal(number(188_250), '188,000');
    assert.equal(number(2.4), '2.40');
    assert.equal(number(0.04123), '0.0412');
    assert.equal(number(0), '0');
    assert.equal(figure({ median: 5, min: 4, max: 60 }), '5.00 (4.00–60.0)');
    assert.equal(figure(undefined), '–');
    assert.equal(times(2, 'more'), '2.00×');
    assert.equal(times(2, 'less'), '2.00× less');
    assert.equal(times(0.5, 'less'), '2.00× more');
  });
});

describe('the tables of the bench', () => {
  it('cases of the bench name groups and metrics that exist', () => {
    for (const one of CASES) {
      assert.ok(GROUPS[one.group], one.name);
      for (const metric of metricsOf(one)) assert.ok(METRICS[metric], `${one.name}: ${metric}`);
      for (const peer of one.peers ?? []) assert.ok(PEERS[peer], `${one.name}: ${peer}`);
    }
    for (const { name, metrics, costs } of GROWTH) {
      for (const metric of metrics) assert.ok(METRICS[metric], `${name}: ${metric}`);
      for (const metric of Object.keys(costs)) assert.ok(metrics.includes(metric), name);
    }
    const names = [...CASES, ...GROWTH].map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
  });

  it('cases of the bench need no more connections than one process can hold', () => {
    const asked = [
      ...CASES.map(({ load }) => load(SETTING)),
      ...GROWTH.flatMap(({ points, load }) => points.map((x) => load(x, SETTING).args)),
    ];
    for (const args of asked) {
      assert.ok(
        args.every((arg) => typeof arg === 'string' || Number.isFinite(arg)),
        args.join(' '),
      );
      const place = args.indexOf('-n');
      if (place >= 0) assert.ok(args[place + 1] <= SETTING.connectionLimit, args.join(' '));
    }
    const last = GROWTH.find(({ name }) => name === 'connections').load(20_000, SETTING);
    assert.equal(last.x, 19_800);
  });

  it('a figure that a run does not have is an error', () => {
    assert.deepEqual(figures(['calls'], { calls_per_s: 7 }), { calls: 7 });
    assert.throws(() => figures(['calls'], {}), /no figure for calls/);
  });
});

describe('the verdicts of the bench', () => {
  it('the bench reports which targets are reached', () => {
    const { cases } = wholeResult().full;
    const reached = Object.fromEntries(
      judge(cases).map(({ target, reached }) => [target.title, reached]),
    );
    assert.equal(reached['50 × 8: CPU time per call'], 'must');
    assert.equal(reached['50 × 1: calls/s'], 'must');
    assert.equal(reached['Broadcasts at once: events/s'], 'no');
    assert.equal(reached['Memory per idle connection (the worst case)'], 'no');
    assert.equal(reached['Hosted on 4.8.4, 50 × 8: calls/s'], 'must');
    assert.equal(reached['Visits of default clients: visits/s'], 'aim');
    assert.equal(
      judge({}).every((verdict) => verdict.reached === undefined),
      true,
    );
  });

  it('the bench judges a target by the worse of its two load generators', () => {
    const { cases } = wholeResult().full;
    cases['calls-50x1'].node.servers.native.calls = [110];
    const verdict = judge(cases).find(({ target }) => target.title === '50 × 1: calls/s');
    assert.deepEqual(verdict.found, { rust: 2, node: 1.1 });
    assert.equal(verdict.value, 1.1);
    assert.equal(verdict.reached, 'no');
  });

  it('the bench judges growth of cost and the latency beside a flood', () => {
    const { growth } = wholeResult().growth;
    const verdicts = judgeGrowth(growth).filter(({ metric }) => metric !== 'calls');
    assert.ok(verdicts.length > 0);
    for (const verdict of verdicts) {
      assert.ok(
        verdict.steps.every(({ linear }) => linear),
        verdict.series,
      );
    }
    assert.deepEqual(judgeFlood(growth, 'native'), { times: 1, within: true });
    const flooded = structuredClone(growth);
    flooded.flood[0].servers.native.flooded99 = [1e6];
    assert.equal(judgeFlood(flooded, 'native').within, false);
    assert.equal(judgeFlood({}, 'native'), undefined);
  });
});

describe('the report of the bench', () => {
  it('the report has every case, server, series and chart', async () => {
    const { full, growth } = wholeResult();
    const { document, charts } = await render(full, growth);
    for (const { title } of [...CASES, ...GROWTH, ...Object.values(ALL)]) {
      assert.ok(document.includes(title), title);
    }
    assert.match(document, /19,800 were open/);
    const shown = [...document.matchAll(/\(charts\/([^)]+)\)/g)].map(([, file]) => file);
    assert.deepEqual(shown.sort(), charts.map(({ file }) => file).sort());
    for (const { file, svg } of charts) {
      assert.match(svg, /^<svg [^]*<\/svg>\n$/, file);
      assert.doesNotMatch(svg, /NaN|Infinity|undefined/, file);
    }
    assert.doesNotMatch(document, /NaN|Infinity|undefined/);
  });

  it('the report names failures and has no undefined figures', async () => {
    const { full, growth } = wholeResult();
    full.failures.push({ what: 'burst', server: 'native', round: 1, reason: 'exit code 2: lost' });
    delete full.cases.burst.rust.servers.native;
    const { document } = await render(full, growth);
    assert.match(document, /## What failed[^]*burst[^]*exit code 2: lost/);
    assert.doesNotMatch(document, /NaN|undefined/);
    assert.match(terminalReport(full), /FAILED: burst, native, round 1: exit code 2: lost/);
  });

  it('the report names peers that could not be installed', async () => {
    const { full } = wholeResult();
    full.missing = { 'uws-engine': 'there is no such package for this machine' };
    for (const results of Object.values(full.cases)) {
      for (const { servers } of Object.values(results)) delete servers['uws-engine'];
    }
    const { document } = await render(full, undefined);
    assert.match(document, /uWebSockets\.js\*\* could not be installed: there is no such package/);
    assert.doesNotMatch(document, /NaN|undefined/);
  });

  it('the table of the README has the worse generator first and slower cases too', () => {
    const { full } = wholeResult();
    full.cases['calls-50x1'].node.servers.native.calls = [80];
    full.cases['calls-50x1'].rust.servers['bun-engine'].calls = [400];
    const row = headline(full)
      .split('\n')
      .find((line) => line.includes('| 50 clients with 1 outstanding call each |'));
    assert.match(row, /\| \*\*0\.8\d*\*\* \(2\.00\) \|.*\| \*\*0\.50\*\* \(0\.80\) \|/);
  });

  it('the README has the figures of the committed results', async () => {
    const readme = fs.readFileSync(README, 'utf8');
    assert.equal(await renderReadme(readme, results.read('full')), readme);
  });

  it('the report can be made from partial results', async () => {
    const { full, growth } = wholeResult();
    assert.doesNotMatch((await render(full, undefined)).document, /How cost grows/);
    assert.match((await render(undefined, growth)).document, /How cost grows/);
    assert.match(terminalReport(growth), new RegExp(`beside a flood, ${GROWTH_SERVERS[0]}`));
  });
});

describe('the bench of subscriptions', () => {
  it('the bench judges subscriptions by the worse of its two load generators', () => {
    const result = subscriptionsResult();
    assert.ok(judgeSubscriptions(result).every(({ reached }) => reached));
    result.cases['shared-burst'].node.servers.native.cpu = [1.51];
    const missed = judgeSubscriptions(result).filter(({ reached }) => !reached);
    assert.deepEqual(
      missed.map(({ found }) => found.rust),
      [10],
    );
    result.memory['shared-one'].native = [{ heap: 200, allocated: 101 }];
    assert.equal(judgeSubscriptions(result).filter(({ reached }) => !reached).length, 2);
  });

  it('the report has every case and server of subscriptions', async () => {
    const { full } = wholeResult();
    const { document } = await render(full, undefined, subscriptionsResult());
    for (const { title } of [
      ...SUBSCRIPTION_CASES,
      ...HELD,
      ...Object.values(SUBSCRIPTION_SERVERS),
    ]) {
      assert.ok(document.includes(title), title);
    }
    assert.doesNotMatch(document, /NaN|undefined/);
  });

  for (const server of installedServers()) {
    it(`the Node load generator gets every item of a subscription on ${server}`, async (t) => {
      const app = await AppProcess.run(server, commandOf(server));
      t.after(() => app.stop());
      const loads = ['-n 4 -k 100 --warm 5', '-n 4 -k 5 --gap 10 --warm 5'];
      const more = ['-n 2 -k 5 --warm 5 --name ordersPrivate', '-n 4 --missed 50 --name journal'];
      for (const load of server === 'broadcast' ? loads : [...loads, ...more]) {
        const args = ['subscribe', ...SUBSCRIPTION_SERVERS[server].args, load].join(' ');
        const { status, report, stderr } = await generate(app.port, args);
        assert.equal(status, 0, `${load}: ${stderr}`);
        assert.equal(report.ok, true, load);
      }
    });
  }
});

/** @returns {object} a result of the bench of clusters in which native takes a quarter of everything */
function scaleResult() {
  const measured = ({ kind }) => {
    const names = Object.keys(SCALE_FIGURES).filter((name) => SCALE_FIGURES[name].kind === kind);
    const of = (value) => Object.fromEntries(names.map((name) => [name, [value]]));
    return { servers: { native: of(10), 'socket.io': of(40) } };
  };
  const part = { started: '2026-11-28T00:00:00.000Z', sources: { commit: 'abc' }, rounds: 1 };
  const calls = (value) => ({ calls: [0.9 * value, value, 1.1 * value] });
  return {
    ...part,
    versions: { Node: 'v20' },
    cases: Object.fromEntries(
      SCALE_CASES.map((one) => [one.name, { rust: measured(one), node: measured(one) }]),
    ),
    failures: [],
    unchanged: {
      ...part,
      cases: { 'calls-50x1': { rust: { servers: { native: calls(100), before: calls(99) } } } },
      failures: [],
    },
  };
}

describe('the bench of clusters', () => {
  it('the bench judges clusters by the worse of its two load generators', () => {
    const result = scaleResult();
    assert.equal(judgeScale(result).length, SCALE_TARGETS.length);
    assert.ok(judgeScale(result).every(({ reached }) => reached));
    result.cases['remote-100'].node.servers.native.receiver = [14];
    const missed = judgeScale(result).filter(({ reached }) => !reached);
    assert.deepEqual(
      missed.map(({ found }) => found.rust),
      [4],
    );
  });

  it('a figure is slower than before only if all rounds of before were better', () => {
    const result = scaleResult();
    const { servers } = result.unchanged.cases['calls-50x1'].rust;
    const slower = () => compareUnchanged(result.unchanged).map(({ isSlower }) => isSlower);
    assert.deepEqual(slower(), [false]);
    servers.native.calls = [85, 88, 95];
    assert.deepEqual(slower(), [false]);
    servers.native.calls = [75, 78, 85];
    assert.deepEqual(slower(), [true]);
  });

  it('the report has every case of clusters', async () => {
    const { full } = wholeResult();
    const { document } = await render(full, undefined, undefined, scaleResult());
    for (const { title } of [...SCALE_CASES, ...SCALE_TARGETS, ...Object.values(CLUSTERS)]) {
      assert.ok(document.includes(title), title);
    }
    assert.doesNotMatch(document, /NaN|undefined/);
  });

  it('the report has the cases of one core', async () => {
    const { full } = wholeResult();
    const cases = Object.fromEntries(ONE_CORE.map((name) => [name, full.cases[name]]));
    const { document } = await render(full, undefined, undefined, undefined, { ...full, cases });
    const [, part] = document.split('## One core');
    for (const name of ONE_CORE) {
      const { title } = CASES.find((one) => one.name === name);
      assert.ok(part.includes(title), title);
    }
    assert.doesNotMatch(document, /NaN|undefined/);
  });

  for (const server of Object.keys(CLUSTERS)) {
    it(`the Node load generator gets every broadcast of a node on ${server}`, async (t) => {
      const command = [process.execPath, [NODE, server, 'none']];
      const receiver = await AppProcess.run(server, command);
      t.after(() => receiver.stop());
      const loads = ['-n 4 -k 20', '-n 4 -k 5 --gap 10'];
      for (const load of [...loads, `-n 4 -k 5 --extra {"via":${receiver.port}}`]) {
        const { status, report, stderr } = await generate(receiver.port, `fanout ${load}`);
        assert.equal(status, 0, `${load}: ${stderr}`);
        assert.equal(report.ok, true, load);
      }
      const response = await fetch(`http://127.0.0.1:${receiver.port}/ready?servers=1`);
      assert.equal(await response.json(), true);
    });
  }
});

describe('the generator in Node', () => {
  const loads = {
    native: [
      'call -n 4 -w 3 --warmup 0 -s 0.3',
      'call -n 4 -w 3 -p 1024 --together --warmup 0 -s 0.3',
      '--eio 3 call -n 4 --warmup 0 -s 0.3',
      '--transport polling call -n 4 -w 3 --warmup 0 -s 0.3',
      '--eio 3 --transport polling call -n 4 -w 3 --warmup 0 -s 0.3',
      'paced -n 4 -r 200 --warmup 0 -s 0.3',
      'churn -n 4 --warmup 0 -s 1',
      'storm -n 20',
      '--transport upgrade storm -n 20',
      '--eio 3 --transport upgrade storm -n 20',
      'fanout -n 20 -k 10',
      'rest -n 4 -r 200 --requests 2 --warmup 0 -s 0.3',
      'rest -n 4 -r 200 --requests 2 --no-keep-alive --warmup 0 -s 0.3',
    ],
    'original-4': ['call -n 4 -w 3 --warmup 0 -s 0.3', '--transport upgrade storm -n 20'],
  };
  for (const server of Object.keys(loads)) {
    it(`the Node load generator gets right answers in every mode on ${server}`, async (t) => {
      const app = await AppProcess.start(server);
      t.after(() => app.stop());
      for (const load of loads[server]) {
        const { status, report, stderr } = await generate(app.port, load);
        assert.equal(status, 0, `${load}: ${stderr}`);
        assert.equal(report.ok, true, load);
      }
    });
  }

  it('the Node load generator works over TLS', async (t) => {
    const app = await AppProcess.start('native', { BENCH_TLS: '1' });
    t.after(() => app.stop());
    for (const load of ['storm -n 4', '--transport upgrade storm -n 4']) {
      const { status, stderr } = await generate(app.port, `--tls ${load}`);
      assert.equal(status, 0, stderr);
    }
  });

  it('the Node load generator writes calls together only with --together', async (t) => {
    const app = await AppProcess.start('native');
    t.after(() => app.stop());
    const times = '-n 2 -w 16 --warmup 0 -s 0.5';
    const { report: each } = await generate(app.port, `call ${times}`);
    // Calls that were in flight when the counting began were written before.
    assert.ok(10 * each.writes > 9 * each.calls, `${each.writes} writes of ${each.calls} calls`);
    const { report: together } = await generate(app.port, `call --together ${times}`);
    assert.ok(2 * together.writes < together.calls, `${together.writes} of ${together.calls}`);
  });

  for (const [title, lie, complaint] of [
    ['wrong', (text) => text.replace(/\d+(?=}}])/, '7'), /mismatched/],
    ['missing', (text) => (text.startsWith('43') ? undefined : text), /unanswered/],
    ['of another call', (text) => text.replace(/^43\d+/, '4399999'), /an answer to nothing/],
  ]) {
    it(`the Node load generator fails when answers are ${title}`, async (t) => {
      const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
      t.after(() => server.close());
      server.on('connection', (socket) => {
        socket.send('0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000}');
        socket.on('message', (data) => {
          const text = answer(data.toString());
          const told = text && lie(text);
          if (told) socket.send(told);
        });
      });
      await once(server, 'listening');
      const load = 'call -n 1 -w 1 --warmup 0 -s 0.5';
      const { status, stderr } = await generate(server.address().port, load);
      assert.equal(status, 2);
      assert.match(stderr, complaint);
    });
  }

  it('the Node load generator decodes payloads of both protocol versions', () => {
    for (const eio of [3, 4]) {
      const packets = ['40', '42["a",":1:"]', '2'];
      assert.deepEqual(decodePayload(encodePayload(packets, eio), eio), packets);
    }
    assert.throws(() => decodePayload('9:42', 3), /not a payload/);
  });
});

describe('the floor lines', () => {
  for (const name of installedPeers().filter((peer) => PEERS[peer].beside === 'floor')) {
    it(`the floor line ${name} answers calls`, async (t) => {
      const app = await AppProcess.start(name);
      t.after(() => app.stop());
      const { status, stderr } = await generate(app.port, 'call -n 4 --warmup 0 -s 0.5');
      assert.equal(status, 0, stderr);
    });
  }
});

describe('the soak', () => {
  it('the soak reports only growth after the warm-up rounds', () => {
    const sample = (heapUsed, rss) => ({ heapUsed: heapUsed * 1e6, rss: rss * 1e6 });
    const warm = [sample(1, 10), sample(5, 50), sample(6, 80)];
    assert.deepEqual(grown([...warm, sample(7, 90), sample(6, 81)]), []);
    assert.deepEqual(grown([...warm, sample(7, 90), sample(9, 81)]), ['heapUsed']);
    assert.deepEqual(grown([...warm, sample(6, 97)]), ['rss']);
  });

  it('the soak reads the memory in use after garbage collection', async () => {
    const app = await AppProcess.start('native');
    try {
      const { heapUsed, rss } = await app.ask(QUESTIONS.memory);
      assert.ok(heapUsed > 1e6 && rss > heapUsed);
    } finally {
      await app.stop();
    }
  });
});

describe('the app under test', () => {
  const apps = Object.entries(ALL).filter(
    ([name, { serve }]) => serve && (SERVERS[name] || installedPeers().includes(name)),
  );
  for (const [name, { eio }] of apps) {
    it(`the app under test answers calls and broadcasts on ${name}`, async (t) => {
      const app = await AppProcess.start(name, { BENCH_ROOMS: '3', BENCH_MEMBERS: '1' });
      t.after(() => app.stop());
      const { io } = require(eio === 3 ? 'socket.io-client-2' : 'socket.io-client');
      const connect = io ?? require('socket.io-client-2');
      const socket = connect(`http://127.0.0.1:${app.port}`, { transports: ['websocket'] });
      t.after(() => socket.close());
      socket.on('connect', () => socket.emit('authentication', { token: 'secret' }));
      await once(socket, 'authenticated');

      const call = (method, args) =>
        new Promise((resolve) => {
          socket.emit(method, args, resolve);
        });
      for (const method of ['double', 'doubleAsync', 'doubleCallback']) {
        assert.deepEqual(await call(method, { value: 21 }), { result: { value: 42 } }, method);
      }
      const data = Buffer.from([1, 2, 3]);
      const { result } = await call('blob', { value: 4, data });
      assert.equal(result.value, 8);
      assert.deepEqual(Buffer.from(result.data), data);

      const seen = [];
      const heard = new Promise((resolve) => {
        socket.on('news', (event) => seen.push(event) === 3 && resolve());
      });
      await call('broadcast', { count: 2, size: 5 });
      await call('broadcast', { count: 1, size: 0, room: 'audience' });
      await heard;
      assert.deepEqual(seen, [
        { seq: 0, pad: 'xxxxx' },
        { seq: 1, pad: 'xxxxx' },
        { seq: 0, pad: '' },
      ]);

      await app.ask('watch the event loop');
      const delay = await app.ask('event loop delay');
      assert.deepEqual(Object.keys(delay), ['p50', 'p99', 'max']);
    });
  }

  it('the app under test defines as many methods as BENCH_METHODS says', async (t) => {
    const app = await AppProcess.start('native', { BENCH_METHODS: '10' });
    t.after(() => app.stop());
    const { io } = require('socket.io-client');
    const socket = io(`http://127.0.0.1:${app.port}`, { transports: ['websocket'] });
    t.after(() => socket.close());
    socket.on('connect', () => socket.emit('authentication', {}));
    await once(socket, 'authenticated');
    assert.deepEqual(await socket.emitWithAck('method9', {}), { result: 9 });
    assert.deepEqual(await socket.emitWithAck('double', { value: 1 }), { result: { value: 2 } });
    await assert.rejects(socket.timeout(200).emitWithAck('method10', {}));
  });
});
