'use strict';

// The bench itself: its arithmetic, its verdicts, its report, and that the app under test serves the
// same methods on all servers. Nothing here is timed.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const { CASES, GROUPS } = require('../bench/cases');
const { GROWTH, GROWTH_SERVERS } = require('../bench/growth');
const { AppProcess } = require('../bench/lib/app-process');
const { advantage, better, ratio } = require('../bench/lib/compare');
const { steps } = require('../bench/lib/linearity');
const { figures } = require('../bench/lib/measure');
const { turns } = require('../bench/lib/schedule');
const { median, spread } = require('../bench/lib/statistics');
const { METRICS } = require('../bench/metrics');
const { render } = require('../bench/report/make');
const { judgeFlood, judgeGrowth } = require('../bench/report/growth-verdicts');
const { figure, number, times } = require('../bench/report/numbers');
const { terminalReport } = require('../bench/report/terminal');
const { SERVERS } = require('../bench/servers');
const { judge } = require('../bench/targets');

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
 * @returns {import('../bench/lib/compare').CaseResult}
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
  const medians = (better) => {
    const [worse, best] = better === 'more' ? [100, 200] : [200, 100];
    return { 'original-2': worse, 'original-4': worse, 'hosted-4': worse, native: best };
  };
  const cases = CASES.map(({ name, metrics }) => {
    const result = { load: `idle -n 19800 ${name}`, servers: {} };
    for (const metric of metrics) {
      const { servers } = resultOf([metric], medians(METRICS[metric].better));
      for (const server of Object.keys(servers)) {
        result.servers[server] = { ...result.servers[server], ...servers[server] };
      }
    }
    return [name, result];
  });
  const growth = GROWTH.map(({ name, metrics, points }) => [
    name,
    points.map((x) => ({ x, ...resultOf(metrics, { 'original-4': 2 * x, native: x }) })),
  ]);
  const common = {
    format: 1,
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

describe('the arithmetic of the bench', () => {
  it('takes the middle of the rounds, and what they lie between', () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4, 1, 3, 2]), 2.5);
    assert.deepEqual(spread([5, 1, 3]), { median: 3, min: 1, max: 5 });
    assert.equal(spread([]), undefined);
  });

  it('compares with the better original in each figure', () => {
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

  it('does not compare with one original alone', () => {
    const servers = { 'original-2': { calls: [100] }, native: { calls: [250] } };
    assert.equal(ratio({ servers }, 'calls', 'native'), undefined);
  });

  it('finds the step that is worse than linear', () => {
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

  it('gives each server a turn at each case in each round, and moves the order on', () => {
    const servers = ['a', 'b', 'c'];
    const all = [...turns({ rounds: 3, items: ['x', 'y'], servers })];
    assert.equal(all.length, 18);
    assert.equal(new Set(all.map((turn) => Object.values(turn).join())).size, 18);
    const firsts = all.filter((_, i) => i % 3 === 0).map(({ server }) => server);
    assert.deepEqual(firsts, ['a', 'b', 'b', 'c', 'c', 'a']);
  });

  it('writes three digits', () => {
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
  it('name groups, metrics and cases that there are', () => {
    for (const { name, group, metrics } of CASES) {
      assert.ok(GROUPS[group], name);
      for (const metric of metrics) assert.ok(METRICS[metric], `${name}: ${metric}`);
    }
    for (const { name, metrics, costs } of GROWTH) {
      for (const metric of metrics) assert.ok(METRICS[metric], `${name}: ${metric}`);
      for (const metric of Object.keys(costs)) assert.ok(metrics.includes(metric), name);
    }
    const names = [...CASES, ...GROWTH].map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
  });

  it('ask for no more connections than one process can hold', () => {
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

  it('take no figure that a run does not have', () => {
    assert.deepEqual(figures(['calls'], { calls_per_s: 7 }), { calls: 7 });
    assert.throws(() => figures(['calls'], {}), /no figure for calls/);
  });
});

describe('the verdicts of the bench', () => {
  it('say which targets are reached', () => {
    const { cases } = wholeResult().full;
    const reached = Object.fromEntries(
      judge(cases).map(({ target, reached }) => [target.title, reached]),
    );
    assert.equal(reached['50 × 8: calls/s'], 'must');
    assert.equal(reached['50 × 1: calls/s'], 'aim');
    assert.equal(reached['Broadcasts at once: events/s'], 'no');
    assert.equal(reached['Memory per idle connection (the worst case)'], 'aim');
    assert.equal(
      judge({}).every((verdict) => verdict.reached === undefined),
      true,
    );
  });

  it('say whether costs grow as they may, and how a client beside a flood fares', () => {
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
  it('has every case, server and series, and a drawing for each chart', async () => {
    const { full, growth } = wholeResult();
    const { document, charts } = await render(full, growth);
    for (const { title } of [...CASES, ...GROWTH, ...Object.values(SERVERS)]) {
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

  it('names what failed, and leaves no hole where it was', async () => {
    const { full, growth } = wholeResult();
    full.failures.push({ what: 'burst', server: 'native', round: 1, reason: 'exit code 2: lost' });
    delete full.cases.burst.servers.native;
    const { document } = await render(full, growth);
    assert.match(document, /## What failed[^]*burst[^]*exit code 2: lost/);
    assert.doesNotMatch(document, /NaN|undefined/);
    assert.match(terminalReport(full), /FAILED: burst, native, round 1: exit code 2: lost/);
  });

  it('can be made of a part', async () => {
    const { full, growth } = wholeResult();
    assert.doesNotMatch((await render(full, undefined)).document, /How cost grows/);
    assert.match((await render(undefined, growth)).document, /How cost grows/);
    assert.match(terminalReport(growth), new RegExp(`beside a flood, ${GROWTH_SERVERS[0]}`));
  });
});

describe('the app under test', () => {
  for (const [name, { eio }] of Object.entries(SERVERS)) {
    it(`answers on ${name}, and reaches its audience`, async (t) => {
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

  it('has as many methods as it is told to', async (t) => {
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
