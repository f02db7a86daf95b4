'use strict';

// The recorded counts, and how others compare with them.

const fs = require('node:fs');
const path = require('node:path');

const FILE = path.join(__dirname, 'baseline.json');

/** How far counts may be from what was recorded. */
const BOUND = 0.1;

/** Allocations beyond the bound that make no difference: those of a table that grew. */
const SLACK = { instructions: 0, allocations: 0.05 };

/** @typedef {import('./callgrind').Counts} Counts */

/**
 * @typedef {object} Baseline
 * @property {{ rustc: string, host: string }} recorded - with what
 * @property {Record<string, Counts>} cases - by name
 */

/**
 * @typedef {object} Comparison
 * @property {string} name
 * @property {Counts} [before] - missing for a case that was not recorded
 * @property {Counts} [now] - missing for a case that is no more
 * @property {'same'|'worse'|'better'|'unrecorded'|'gone'} verdict
 */

/** @returns {Baseline | undefined} what was recorded, if anything was */
function read() {
  if (!fs.existsSync(FILE)) return undefined;
  return JSON.parse(fs.readFileSync(FILE, 'utf8'));
}

/**
 * Records, a line for each case.
 * @param {Baseline} baseline
 * @returns {void}
 */
function write({ recorded, cases }) {
  const object = (value) => JSON.stringify(value).replace(/[{:,]/g, '$& ').replace('}', ' }');
  const lines = Object.entries(cases).map(([name, counts]) => `    "${name}": ${object(counts)}`);
  const text = `{\n  "recorded": ${object(recorded)},\n  "cases": {\n${lines.join(',\n')}\n  }\n}\n`;
  fs.writeFileSync(FILE, text);
}

/**
 * @param {Counts | undefined} before
 * @param {Counts | undefined} now
 * @returns {Comparison['verdict']}
 */
function verdict(before, now) {
  if (now === undefined) return 'gone';
  if (before === undefined) return 'unrecorded';
  const kinds = Object.keys(SLACK);
  const exceeds = (a, b) => kinds.some((kind) => a[kind] > b[kind] * (1 + BOUND) + SLACK[kind]);
  const falls = (a, b) => kinds.some((kind) => a[kind] < b[kind] * (1 - BOUND) - SLACK[kind]);
  if (exceeds(now, before)) return 'worse';
  return falls(now, before) ? 'better' : 'same';
}

/**
 * @param {Record<string, Counts>} before - by name
 * @param {Record<string, Counts>} now - by name
 * @returns {Comparison[]} of every name in either
 */
function compare(before, now) {
  const names = new Set([...Object.keys(now), ...Object.keys(before)]);
  return [...names].map((name) => ({
    name,
    before: before[name],
    now: now[name],
    verdict: verdict(before[name], now[name]),
  }));
}

module.exports = { BOUND, compare, read, write };
