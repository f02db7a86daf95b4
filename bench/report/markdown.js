'use strict';

// The text of docs/benchmarks.md.

const { CASES, GROUPS, generatorsOf } = require('../cases');
const { FLOOD_BOUND, GROWTH, GROWTH_SERVERS } = require('../growth');
const { LAG, keptUp } = require('../lib/capacity');
const { advantage, better, medianOf, spreadOf } = require('../lib/compare');
const { GENERATORS } = require('../lib/generator');
const { TOLERANCE } = require('../lib/linearity');
const { METRICS, TRAFFIC } = require('../metrics');
const { ALL, ORIGINALS, PEERS, SERVERS } = require('../servers');
const { judge } = require('../targets');
const { judgeFlood, judgeGrowth } = require('./growth-verdicts');
const { figure, number, times } = require('./numbers');
const { scalePart } = require('./scale');
const { subscriptionsPart } = require('./subscriptions');

/**
 * @typedef {import('../lib/results').Result} Result
 * @typedef {{ file: string, group: string, title: string }} Chart
 */

/**
 * A table of Markdown.
 * @param {string[]} heads
 * @param {string[][]} rows
 * @returns {string}
 */
function table(heads, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const ruler = heads.map((_, i) => (i === 0 ? '---' : '--:'));
  return [line(heads), line(ruler), ...rows.map(line)].join('\n');
}

/**
 * @param {Chart[]} charts
 * @param {string} group
 * @returns {string[]}
 */
function images(charts, group) {
  return charts
    .filter((chart) => chart.group === group)
    .map(({ file, title }) => `![${title}](charts/${file})`);
}

/**
 * @param {string} iso
 * @returns {string}
 */
const day = (iso) => iso.slice(0, 10);

/** @returns {string[]} what the reader has to know */
function introduction() {
  return [
    '# Benchmarks',
    '`npm run bench -- --full` generates this page from `bench/results/`. To change the page, change ' +
      '`bench/`. [`bench/README.md`](../bench/README.md) describes how to run the bench and its parts.',
    '## How to read this',
    'Four servers run the same app under the same load:',
    [
      '- **original on socket.io 2.5.1** and **original on socket.io 4.8.4**: `loopback-socket` 0.4.2;',
      '- **hosted on socket.io 4.8.4**: this package on that server;',
      '- **native**: this package on its own server.',
    ].join('\n'),
    'Two load generators on the same machine run one after the other, because a result that only one of ' +
      'them finds is a result about that generator:',
    Object.values(GENERATORS)
      .map(({ title, text }) => `- **${title}**: ${text}.`)
      .join('\n'),
    'Both implement the protocol themselves, check every answer, and read the CPU time and memory of the ' +
      'server from the kernel. A single wrong or missing answer fails the run. Generator and server share ' +
      'the cores. When no core is idle, calls per second depend on the generator as much as on the ' +
      'server; then compare CPU time per call ' +
      '([why the generators disagree](performance.md#why-two-generators-disagree)). Clients are those ' +
      'that apps on the server have: Socket.IO 2 for 2.5.1, Socket.IO 4 for the others.',
    'In every round each server runs each load once, in its own process; the order rotates from round ' +
      'to round. Figures are **the median of the rounds (minimum–maximum)**. Ratios are medians of the ' +
      'ratios in each round, since the speed of a machine may change from minute to minute: the native ' +
      'server is compared with *the better of the two originals in that figure*, and the hosted server ' +
      'with the original on the same socket.io. Differences that are smaller than the ranges in ' +
      'parentheses mean nothing. For a target, the worse result of the two generators counts.',
  ];
}

/**
 * @param {Result[]} results
 * @returns {string[]}
 */
function circumstances(results) {
  const [{ machine, versions, sources }] = results;
  const commit = sources.otherPackage
    ? 'another build than that of these sources'
    : `${sources.commit}${sources.modified ? ', with uncommitted changes' : ''}`;
  const rows = [
    ['Processor', `${machine.cpu}, ${machine.cores} cores, ${machine.architecture}`],
    ['Memory', `${machine.memoryGiB} GiB`],
    ['Kernel', machine.kernel],
    ['Open file limit', machine.descriptors.toLocaleString('en')],
    ...Object.entries(versions),
    ['Commit', commit],
    ...results.map(({ started, rounds, cases, times: { warmup, seconds } }) => [
      cases ? 'Cases measured' : 'Growth measured',
      `${day(started)}, ${rounds} ${rounds === 1 ? 'round' : 'rounds'} of ${seconds} s after ${warmup} s of warm-up`,
    ]),
    ...results
      .flatMap(({ again = [] }) => again)
      .map((one) => [
        'Measured again',
        `${day(one.started)}, at ${one.sources.commit}, ${one.rounds ?? results[0].rounds} rounds: ${one.cases.join(', ')}`,
      ]),
  ];
  return ['## Machine and versions', table(['', 'in this run'], rows)];
}

/**
 * @param {Result} result
 * @returns {string[]}
 */
function targets({ cases }) {
  const words = { aim: 'aim', must: 'must', no: '**no**' };
  const rows = judge(cases).map(({ target, found, value, reached }) => {
    const sign = target.bound === 'at least' ? '≥' : '≤';
    const [must, aim] = [target.must, target.aim].map((bound) => `${sign} ${bound}${target.unit}`);
    const written = (measured) =>
      measured === undefined ? '–' : `${number(measured)}${target.unit}`;
    const each = Object.keys(GENERATORS).map((generator) => written(found[generator]));
    return [target.title, must, aim, ...each, written(value), words[reached] ?? 'not measured'];
  });
  const heads = Object.values(GENERATORS).map(({ title }) => `by ${title}`);
  return [
    '## Targets',
    'The goals of this package and whether it reaches them: the native server compared with the better ' +
      'of the two originals, unless a row says otherwise; the hosted one with the original on the same ' +
      'socket.io. The worse of the two generators counts.',
    table(['target', 'must', 'aim', ...heads, 'counts', 'reached'], rows),
  ];
}

/**
 * What “at 90 %” is a part of.
 * @param {Result} result
 * @returns {string[]}
 */
function capacity({ capacity: rates, cases }) {
  if (!rates) return [];
  const found = ORIGINALS.map(
    (server) => `${SERVERS[server].title}: ${rates[server].toLocaleString('en')} calls/s`,
  ).join('; ');
  const paced = cases['paced-90']?.rust;
  const best = better(paced, 'p99');
  const p99 = medianOf(paced, 'p99', best);
  const verdict =
    p99 !== undefined &&
    (keptUp(p99)
      ? `At 90 % of that rate the better original kept up, with a 99th percentile of ${number(p99)} ms.`
      : `At 90 % of that rate no original kept up in these rounds (${number(p99)} ms): the ratio ` +
        'compares with a server that falls behind.');
  return [
    'The rate that a server **sustains** is determined before the first round. It is the highest rate ' +
      'over 50 connections at which the server answers every call with a 99th percentile of the latency ' +
      `of at most ${LAG} ms, twice in a row. A server that falls behind gets later with every call and ` +
      `exceeds that at once. Result: ${found}. ${verdict || ''}`.trim(),
  ];
}

/**
 * The figures of one metric: a line for each case and generator.
 * @param {string} metric
 * @param {Result} result
 * @param {import('../cases').Case[]} cases
 * @returns {string}
 */
function metricTable(metric, result, cases) {
  const { title, unit, better: direction } = METRICS[metric];
  const heads = [
    `${title}, ${unit}`,
    'by',
    ...Object.values(SERVERS).map((server) => server.title),
  ];
  const rows = lines(cases, result).map(([{ title: what }, generator, measured]) => {
    const figures = Object.keys(SERVERS).map((server) =>
      figure(spreadOf(measured, metric, server)),
    );
    const native = times(advantage(measured, metric, 'native'), direction);
    const hosted = times(advantage(measured, metric, 'hosted-4', ['original-4']), direction);
    return [what, GENERATORS[generator].title, ...figures, native, hosted];
  });
  return table([...heads, 'native to better original', 'hosted to original on 4.8.4'], rows);
}

/**
 * Cases as their generators measured them.
 * @param {import('../cases').Case[]} cases
 * @param {Result} result
 * @returns {[import('../cases').Case, string, import('../lib/compare').CaseResult][]}
 */
const lines = (cases, result) =>
  cases.flatMap((one) =>
    generatorsOf(one)
      .filter((generator) => result.cases[one.name][generator])
      .map((generator) => [one, generator, result.cases[one.name][generator]]),
  );

/** What is told of the peers. */
const PEER_METRICS = [
  'calls',
  'visits',
  'deliveries',
  'lastAnswer',
  'cpu',
  'visitCpu',
  'deliveryCpu',
];
const PEER_TAILS = ['service', 'loopMax', 'memory'];

/**
 * The native server beside its peers and the floor lines.
 * @param {Result} result
 * @returns {string[]}
 */
function peersPart(result) {
  const cases = CASES.filter(({ name, peers }) => peers && result.cases[name]);
  const names = ['native', ...Object.keys(PEERS)];
  const tables = [...PEER_METRICS, ...PEER_TAILS].flatMap((metric) => {
    const { title, unit, better: direction } = METRICS[metric];
    const told = cases.filter(({ metrics }) => metrics.includes(metric));
    const rows = lines(told, result)
      .filter(([, , measured]) => names.some((name) => PEERS[name] && measured.servers[name]))
      .map(([{ title: what, group }, generator, measured]) => {
        const against = (name) => times(advantage(measured, metric, 'native', [name]), direction);
        const cells = names.map((name) => {
          const median = medianOf(measured, metric, name);
          if (median === undefined) return '–';
          return name === 'native' ? number(median) : `${number(median)} (${against(name)})`;
        });
        return [`${GROUPS[group].title}: ${what}`, GENERATORS[generator].title, ...cells];
      });
    const heads = [`${title}, ${unit}`, 'by', ...names.map((name) => ALL[name].title)];
    return rows.length > 0 ? [table(heads, rows)] : [];
  });
  const missing = Object.entries(result.missing ?? {}).map(
    ([name, why]) => `- **${PEERS[name].title}** could not be installed: ${why}`,
  );
  if (tables.length === 0 && missing.length === 0) return [];
  return [
    '## Peers and lower bounds',
    'Peers run the same app, with `loopback-socket` 0.4.2, on another engine: `@socket.io/bun-engine` ' +
      'on Bun, and socket.io on uWebSockets.js (through the npm package `uwebsockets`, which is not by ' +
      'the author of uWebSockets.js but contains its builds). Lower bounds do the minimum that answers ' +
      'these calls: no rooms, no heartbeats, no handlers of an application. socketioxide is a Socket.IO ' +
      'server without JavaScript that uses all cores. In parentheses: how much better or worse the ' +
      'native server is. All figures are medians.',
    ...(missing.length > 0 ? [missing.join('\n')] : []),
    ...tables,
  ];
}

/**
 * The servers on one core.
 * @param {Result} result
 * @returns {string[]}
 */
function oneCorePart(result) {
  const cases = CASES.filter(({ name }) => result.cases[name]);
  const rows = lines(cases, result).flatMap(([{ title, group, metrics }, generator, measured]) =>
    [metrics[0], ...metrics.filter((name) => ['cpu', 'visitCpu', 'loopMax'].includes(name))].map(
      (metric) => {
        const { title: what, unit, better: direction } = METRICS[metric];
        const figures = Object.keys(SERVERS).map((server) =>
          figure(spreadOf(measured, metric, server)),
        );
        const won = times(advantage(measured, metric, 'native'), direction);
        const names = [`${GROUPS[group].title}: ${title}`, `${what}, ${unit}`];
        return [...names, GENERATORS[generator].title, ...figures, won];
      },
    ),
  );
  const servers = Object.values(SERVERS).map((server) => server.title);
  return [
    '## One core',
    'The same with one core for the server, as in a small container, and all cores for the generator. The native ' +
      'server’s threads share that core. `npm run bench -- --one-core` measures it ' +
      `(${day(result.started)}, ${result.rounds} rounds).`,
    table(['case', 'figure', 'by', ...servers, 'native to better original'], rows),
  ];
}

/**
 * Who had the cores, and what calls took of the kernel.
 * @param {Result} result
 * @returns {string[]}
 */
function trafficPart(result) {
  const cases = CASES.filter(({ name, traffic }) => traffic && result.cases[name]);
  const names = ['original-4', 'native'];
  const rows = lines(cases, result).map(([{ title, group }, generator, measured]) => [
    group === 'calls' ? title : `${GROUPS[group].title.split(',')[0]}: ${title}`,
    GENERATORS[generator].title,
    ...TRAFFIC.map((metric) =>
      names
        .map((name) => medianOf(measured, metric, name))
        .map((median) => (median === undefined ? '–' : number(median)))
        .join(' / '),
    ),
  ]);
  if (rows.length === 0) return [];
  return [
    '## Who has the cores, and what a call takes of the kernel',
    'Original on socket.io 4.8.4 / native, medians. Server and generator share ' +
      `${result.machine.cores} cores. Segments are the TCP segments that the machine sent during the ` +
      'measurement: calls, answers and acknowledgements.',
    table(['case', 'by', ...TRAFFIC.map((metric) => METRICS[metric].title)], rows),
  ];
}

/**
 * One part of the report: charts, and a table for each metric.
 * @param {string} group
 * @param {Result} result
 * @param {Chart[]} charts
 * @returns {string[]}
 */
function groupPart(group, result, charts) {
  const cases = CASES.filter((one) => one.group === group && result.cases[one.name]);
  if (cases.length === 0) return [];
  const metrics = [...new Set(cases.flatMap((one) => one.metrics))];
  const tables = metrics.map((metric) => {
    return metricTable(
      metric,
      result,
      cases.filter((one) => one.metrics.includes(metric)),
    );
  });
  return [
    `## ${GROUPS[group].title}`,
    GROUPS[group].text,
    ...(group === 'paced' ? capacity(result) : []),
    ...(group === 'memory' ? lowered(result) : []),
    ...images(charts, group),
    ...tables,
  ];
}

/**
 * Says where less was run than asked for.
 * @param {Result} result
 * @returns {string[]}
 */
function lowered({ cases, machine }) {
  const held = /-n (\d+)/.exec(cases['idle-20000']?.rust?.load ?? '')?.[1];
  if (held === undefined || Number(held) === 20_000) return [];
  return [
    `Of the 20,000 connections of the last row, ${Number(held).toLocaleString('en')} were open: on this ` +
      `machine a process can open ${machine.descriptors.toLocaleString('en')} files.`,
  ];
}

/**
 * One series of growth.
 * @param {import('../growth').Series} series
 * @param {Result} result
 * @param {Chart[]} charts
 * @returns {string[]}
 */
function seriesPart({ name, title, text, axis, metrics }, result, charts) {
  const points = result.growth[name];
  const heads = [
    axis,
    ...metrics.flatMap((metric) =>
      GROWTH_SERVERS.map(
        (server) => `${METRICS[metric].title}, ${METRICS[metric].unit}: ${SERVERS[server].title}`,
      ),
    ),
  ];
  const rows = points.map((point) => [
    point.x.toLocaleString('en'),
    ...metrics.flatMap((metric) =>
      GROWTH_SERVERS.map((server) => figure(spreadOf(point, metric, server))),
    ),
  ]);
  return [`### ${title}`, text, ...images(charts, name), table(heads, rows)];
}

/**
 * What became of the steps.
 * @param {Result} result
 * @returns {string[]}
 */
function verdicts({ growth, failures: failed }) {
  const native = judgeGrowth(growth).filter(({ server }) => server === 'native');
  const title = (name) => GROWTH.find((series) => series.name === name).title;
  const rows = native.flatMap(({ series, metric, steps }) =>
    steps.map(({ from, to, exponent, linear }) => [
      `${title(series)}: ${METRICS[metric].better === 'more' ? 'time per call' : METRICS[metric].title}`,
      `${from.toLocaleString('en')} → ${to.toLocaleString('en')}`,
      exponent.toFixed(2),
      linear ? 'yes' : '**no**',
    ]),
  );
  const worse = native.flatMap(({ steps }) => steps).filter(({ linear }) => !linear).length;
  const flood = judgeFlood(growth, 'native');
  return [
    (worse === 0
      ? '**No step of the native server grows faster than linearly.** '
      : `**Steps of the native server that grow faster than linearly: ${worse}.** `) +
      (failed.length > 0
        ? '**Some steps could not be measured: see [What failed](#what-failed).** '
        : '') +
      'The exponent of a step is 0 if the cost stays constant and 1 if it grows linearly; up to ' +
      `${1 + TOLERANCE} counts as linear, to allow for measurement noise.`,
    table(['native server', 'step', 'exponent', 'at most linear'], rows),
    ...(flood
      ? [
          `During a flood, another client sees ${number(flood.times)} times its idle 99th percentile on ` +
            `the native server; the goal of at most ${FLOOD_BOUND} times is ` +
            `${flood.within ? 'reached' : '**not reached**'}.`,
        ]
      : []),
  ];
}

/**
 * @param {Result} result
 * @param {Chart[]} charts
 * @returns {string[]}
 */
function growthPart(result, charts) {
  return [
    '## How cost grows',
    ...verdicts(result),
    ...GROWTH.filter(({ name }) => result.growth[name]).flatMap((series) =>
      seriesPart(series, result, charts),
    ),
  ];
}

/**
 * @param {Result[]} results
 * @returns {string[]}
 */
function failures(results) {
  const rows = results
    .flatMap((result) => result.failures)
    .map(({ what, server, round, reason }) => [what, ALL[server].title, String(round), reason]);
  if (rows.length === 0) return [];
  return [
    '## What failed',
    'These runs had wrong or missing answers, or could not be run. The figures do not include them.',
    table(['load', 'server', 'round', 'reason'], rows),
  ];
}

/**
 * @param {Result} result
 * @returns {string[]}
 */
function loads({ cases }) {
  const rows = CASES.filter(({ name }) => cases[name]).map(({ name, group, title }) => [
    `${GROUPS[group].title}: ${title}`,
    `\`${Object.values(cases[name])[0].load}\``,
  ]);
  return ['## The loads', 'The arguments of the load generators.', table(['case', 'load'], rows)];
}

/**
 * The whole report.
 * @param {Result | undefined} full - the cases
 * @param {Result | undefined} growth
 * @param {Chart[]} charts
 * @param {object} [subscriptions] - the result of `bench/subscriptions`
 * @param {object} [scale] - the result of `bench/scale`
 * @returns {string} Markdown
 */
function renderMarkdown(full, growth, charts, subscriptions, scale, oneCore) {
  const results = [full, growth].filter(Boolean);
  const parts = [...introduction(), ...circumstances(results), ...failures(results)];
  if (full) {
    parts.push(...targets(full));
    parts.push(...Object.keys(GROUPS).flatMap((group) => groupPart(group, full, charts)));
    parts.push(...peersPart(full), ...trafficPart(full));
  }
  if (oneCore) parts.push(...oneCorePart(oneCore));
  parts.push(...subscriptionsPart(subscriptions, table), ...scalePart(scale, table));
  if (growth) parts.push(...growthPart(growth, charts));
  if (full) parts.push(...loads(full));
  return `${parts.join('\n\n')}\n`;
}

module.exports = { renderMarkdown };
