'use strict';

// The part of docs/benchmarks.md about servers in a cluster, and the same for the terminal.

const { GENERATORS } = require('../lib/generator');
const { medianOf, spreadOf } = require('../lib/compare');
const { spread } = require('../lib/statistics');
const { CASES } = require('../cases');
const { METRICS } = require('../metrics');
const {
  ADAPTERS,
  SCALE_CASES,
  SCALE_FIGURES,
  SCALE_TARGETS,
  SERVERS,
  WARM,
} = require('../scale/cases');
const { figure, number } = require('./numbers');

/** A figure is slower than before if it is worse by more than this, and no round of both meets. */
const TOLERANCE = 0.05;
/** With fewer rounds nothing is said of it. */
const LEAST_ROUNDS = 3;

/**
 * @typedef {object} Verdict
 * @property {string} title
 * @property {number} must - how many times less than socket.io
 * @property {Record<string, number>} found - by generator
 * @property {boolean} reached - by the worse of them
 */

/**
 * Whether what was to be reached is.
 * @param {object} result
 * @returns {Verdict[]} of what was measured
 */
function judgeScale({ cases }) {
  return SCALE_TARGETS.flatMap(({ title, name, figure: wanted, must }) => {
    const found = Object.fromEntries(
      Object.entries(cases[name] ?? {}).flatMap(([generator, measured]) => {
        const [theirs, ours] = ['socket.io', 'native'].map((server) =>
          medianOf(measured, wanted, server),
        );
        return theirs && ours ? [[generator, theirs / ours]] : [];
      }),
    );
    const values = Object.values(found);
    if (values.length === 0) return [];
    return [{ title, must, found, reached: values.every((value) => value >= must) }];
  });
}

/**
 * Compares what was measured of before with what is now.
 * @param {object | undefined} unchanged - of the result
 * @returns {{ name: string, generator: string, metric: string, before: object, now: object,
 *   ratio: number, isSlower: boolean }[]} `ratio` is how many times better it is now
 */
function compareUnchanged(unchanged) {
  return Object.entries(unchanged?.cases ?? {}).flatMap(([name, byGenerator]) =>
    Object.entries(byGenerator).flatMap(([generator, { servers }]) =>
      Object.keys(servers.native ?? {}).flatMap((metric) => {
        const [before, now] = ['before', 'native'].map((one) => spread(servers[one]?.[metric]));
        if (!before || !now || !before.median || !now.median) return [];
        const isMore = METRICS[metric].better === 'more';
        const ratio = isMore ? now.median / before.median : before.median / now.median;
        const isApart = isMore ? now.max < before.min : now.min > before.max;
        const rounds = ['before', 'native'].map((one) => servers[one][metric].length);
        const isSlower = ratio < 1 - TOLERANCE && isApart && Math.min(...rounds) >= LEAST_ROUNDS;
        return [{ name, generator, metric, before, now, ratio, isSlower }];
      }),
    ),
  );
}

/**
 * @param {object} result
 * @param {'figure'|'plain'} style
 * @returns {{ title: string, heads: string[], rows: string[][] }[]} a table for each figure
 */
function figureTables({ cases }) {
  const servers = Object.keys(SERVERS);
  return Object.entries(SCALE_FIGURES).flatMap(([name, { title, unit, kind }]) => {
    const rows = SCALE_CASES.filter((one) => one.kind === kind).flatMap((one) =>
      Object.entries(cases[one.name] ?? {}).flatMap(([generator, measured]) => {
        const medians = servers.map((server) => medianOf(measured, name, server));
        if (medians.every((value) => value === undefined)) return [];
        const [ours, theirs] = medians;
        return [
          [
            one.title,
            ADAPTERS[one.adapter],
            GENERATORS[generator].title,
            ...servers.map((server) => figure(spreadOf(measured, name, server))),
            ours && theirs ? `${number(theirs / ours)}×` : '–',
          ],
        ];
      }),
    );
    if (rows.length === 0) return [];
    const titles = servers.map((server) => SERVERS[server].title);
    return [{ heads: [`${title}, ${unit}`, 'adapter', 'by', ...titles, 'less'], rows }];
  });
}

/**
 * @param {object} result
 * @returns {{ heads: string[], rows: string[][] }}
 */
function targetTable(result) {
  const rows = judgeScale(result).map(({ title, must, found, reached }) => [
    title,
    `${must}× less`,
    ...Object.keys(GENERATORS).map((generator) =>
      found[generator] === undefined ? '–' : `${number(found[generator])}×`,
    ),
    reached ? 'yes' : '**no**',
  ]);
  const by = Object.values(GENERATORS).map(({ title }) => `by ${title}`);
  return { heads: ['target', 'must', ...by, 'reached'], rows };
}

/**
 * @param {object} result
 * @returns {{ heads: string[], rows: string[][] }} the main figure of each case, and what is slower
 */
function unchangedTable({ unchanged }) {
  const compared = compareUnchanged(unchanged);
  const rows = CASES.flatMap((one) =>
    compared
      .filter(({ name, metric, isSlower }) => {
        return name === one.name && (isSlower || one.metrics.slice(0, 2).includes(metric));
      })
      .map(({ generator, metric, before, now, ratio, isSlower }) => [
        one.title,
        METRICS[metric].title,
        GENERATORS[generator].title,
        figure(before),
        figure(now),
        isSlower ? `**${number(ratio)}×**` : `${number(ratio)}×`,
      ]),
  );
  return { heads: ['case', 'figure', 'by', 'before', 'now', 'better'], rows };
}

/**
 * @param {{ started: string, sources: object, rounds: number }} part
 * @returns {string}
 */
function measuredAt({ started, sources, rounds }) {
  const commit = sources.commit ?? 'another build';
  const changes = sources.modified ? ', with uncommitted changes' : '';
  return `on ${started.slice(0, 10)} in ${rounds} ${rounds === 1 ? 'round' : 'rounds'} at ${commit}${changes}`;
}

/**
 * The part about servers in a cluster.
 * @param {object | undefined} result - undefined if there is none
 * @param {(heads: string[], rows: string[][]) => string} table
 * @returns {string[]}
 */
function scalePart(result, table) {
  if (!result) return [];
  const versions = Object.entries(result.versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
  const parts = [
    '## More than one process',
    '`npm run bench -- --scale` measures these: two nodes on one Redis, both native or both of npm ' +
      '`socket.io` without this package, with the same adapter. One of them has the clients, which are ' +
      'the load generators; they check that each client gets each message once and in order. The other ' +
      'one broadcasts, where the table says so. Messages have 200 bytes of padding. Figures are taken ' +
      `when ${WARM.toLocaleString('en')} messages have been delivered, since V8 compiles code until then. ` +
      'Broadcasts that come one by one cost a write for each receiver, which the kernel makes, on either ' +
      'server; those that come together are written together. ' +
      `Medians, measured ${measuredAt(result)}, with ${versions}.`,
  ];
  const targets = targetTable(result);
  if (targets.rows.length > 0) parts.push(table(targets.heads, targets.rows));
  for (const { heads, rows } of figureTables(result)) parts.push(table(heads, rows));
  const unchanged = unchangedTable(result);
  if (unchanged.rows.length > 0) {
    const slower = compareUnchanged(result.unchanged).filter((one) => one.isSlower);
    parts.push(
      'Without an adapter, the native server compared with itself before it had adapters, in turns on ' +
        'the same machine. More than 1× is better now. A figure counts as slower if its median is worse ' +
        `by more than ${TOLERANCE * 100} % and the worst round of before is better than the best one of now. ` +
        `${slower.length === 0 ? 'None is' : `${slower.length} of them are`} slower. ` +
        `Measured ${measuredAt(result.unchanged)}.`,
      table(unchanged.heads, unchanged.rows),
    );
  }
  return parts;
}

/**
 * @param {{ heads: string[], rows: string[][] }} table
 * @returns {string} in columns
 */
function columns({ heads, rows }) {
  const all = [heads, ...rows];
  const widths = heads.map((_, i) => Math.max(...all.map((row) => row[i].length)));
  return all.map((row) => row.map((cell, i) => cell.padEnd(widths[i])).join('  ')).join('\n');
}

/**
 * @param {object} result
 * @returns {string} for the terminal
 */
function scaleReport(result) {
  const tables = [targetTable(result), ...figureTables(result), unchangedTable(result)];
  const failures = [...result.failures, ...(result.unchanged?.failures ?? [])].map(
    ({ what, server, round, reason }) => `FAILED: ${what}, ${server}, round ${round}: ${reason}`,
  );
  return [...tables.filter(({ rows }) => rows.length > 0).map(columns), failures.join('\n')]
    .filter(Boolean)
    .join('\n\n');
}

module.exports = { compareUnchanged, judgeScale, scalePart, scaleReport };
