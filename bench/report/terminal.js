'use strict';

// A result as plain text, for whoever waits for it.

const { CASES, generatorsOf } = require('../cases');
const { advantage, spreadOf } = require('../lib/compare');
const { GROWTH_SERVERS } = require('../growth');
const { METRICS } = require('../metrics');
const { ALL, SERVERS } = require('../servers');
const { judge } = require('../targets');
const { judgeFlood, judgeGrowth } = require('./growth-verdicts');
const { figure, number, times } = require('./numbers');

/**
 * Rows in columns.
 * @param {string[][]} rows
 * @returns {string}
 */
function columns(rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/**
 * The figures of all cases.
 * @param {import('../lib/results').Result} result
 * @returns {string[][]}
 */
function caseRows({ cases }) {
  const measured = CASES.flatMap((one) =>
    generatorsOf(one).flatMap((generator) => {
      const result = cases[one.name]?.[generator];
      return result ? [{ one, generator, result }] : [];
    }),
  );
  const names = Object.keys(ALL).filter(
    (name) => SERVERS[name] || measured.some(({ result }) => result.servers[name]),
  );
  const rows = [['case', 'by', 'figure', ...names, 'native ÷ better original']];
  for (const { one, generator, result } of measured) {
    for (const metric of one.metrics) {
      const { unit, better } = METRICS[metric];
      const figures = names.map((server) => figure(spreadOf(result, metric, server)));
      const won = times(advantage(result, metric, 'native'), better);
      rows.push([one.name, generator, `${metric}, ${unit}`, ...figures, won]);
    }
  }
  return rows;
}

/**
 * @param {import('../lib/results').Result} result
 * @returns {string[][]}
 */
function targetRows({ cases }) {
  const rows = [['target', 'must', 'aim', 'by each', 'counts', 'reached']];
  for (const { target, found, value, reached } of judge(cases)) {
    if (reached === undefined) continue;
    const sign = target.bound === 'at least' ? '≥' : '≤';
    const bounds = [target.must, target.aim].map((bound) => `${sign} ${bound}${target.unit}`);
    const each = Object.values(found).map((one) => (one === undefined ? '–' : number(one)));
    rows.push([
      target.title,
      ...bounds,
      each.join(' / '),
      `${number(value)}${target.unit}`,
      reached,
    ]);
  }
  return rows;
}

/**
 * @param {import('../lib/results').Result} result
 * @returns {string[][]}
 */
function growthRows({ growth }) {
  const rows = [['growth', 'server', 'step', 'exponent', 'no worse than linear']];
  for (const { series, metric, server, steps } of judgeGrowth(growth)) {
    for (const { from, to, exponent, linear } of steps) {
      const step = `${from} → ${to}`;
      rows.push([`${series}, ${metric}`, server, step, exponent.toFixed(2), linear ? 'yes' : 'NO']);
    }
  }
  return rows;
}

/**
 * @param {import('../lib/results').Result} result
 * @returns {string[]} a line for each server that was flooded
 */
function floodLines({ growth }) {
  return GROWTH_SERVERS.flatMap((server) => {
    const flood = judgeFlood(growth, server);
    if (!flood) return [];
    const verdict = flood.within ? '' : ', more than it was to be';
    return `beside a flood, ${server}: ${number(flood.times)} times the idle p99${verdict}`;
  });
}

/**
 * @param {import('../lib/results').Result} result
 * @returns {string}
 */
function terminalReport(result) {
  const parts = [];
  if (result.cases) parts.push(columns(caseRows(result)), columns(targetRows(result)));
  if (result.growth) parts.push(columns(growthRows(result)), floodLines(result).join('\n'));
  const failures = result.failures.map(
    ({ what, server, round, reason }) => `FAILED: ${what}, ${server}, round ${round}: ${reason}`,
  );
  if (failures.length > 0) parts.push(failures.join('\n'));
  parts.push(`${result.rounds} rounds, ${number(result.seconds / 60)} minutes`);
  return parts.filter(Boolean).join('\n\n');
}

module.exports = { terminalReport };
