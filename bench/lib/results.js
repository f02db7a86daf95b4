'use strict';

// Results as files. `full.json` and `growth.json` are those that the report is made of; a quick run,
// or one of a part of the cases, leaves its own.

const fs = require('node:fs');
const path = require('node:path');

const FOLDER = path.join(__dirname, '..', 'results');

/** Of the files: one that is of another format is not read. */
const FORMAT = 2;

/**
 * @typedef {object} Result
 * @property {number} format
 * @property {string} started - when, in ISO 8601
 * @property {number} seconds - that it took
 * @property {number} rounds
 * @property {{ warmup: number, seconds: number }} times - of each load
 * @property {object} machine
 * @property {object} versions
 * @property {object} sources
 * @property {Record<string, number>} [capacity] - what each original sustains
 * @property {Record<string, Record<string, import('./compare').CaseResult>>} [cases] - by name and
 *   generator
 * @property {Record<string, string>} [missing] - peers that could not be installed, and why
 * @property {Record<string, import('./grow').SeriesResult>} [growth] - by name
 * @property {{ what: string, server: string, round: number, reason: string }[]} failures
 * @property {{ started: string, sources: object, rounds?: number, cases: string[] }[]} [again] - what was measured
 *   anew since
 */

/**
 * @param {string} name - of the file, without its ending
 * @returns {string}
 */
const fileOf = (name) => path.join(FOLDER, `${name}.json`);

/**
 * @param {string} name - of the file, without its ending
 * @param {Result} result
 */
function write(name, result) {
  fs.mkdirSync(FOLDER, { recursive: true });
  // One line for each list of numbers: they are many.
  const text = JSON.stringify(result, null, 2).replace(/\[[^[\]{}"]*\]/g, (list) =>
    list.replace(/\s+/g, ' ').replace('[ ', '[').replace(' ]', ']'),
  );
  fs.writeFileSync(fileOf(name), `${text}\n`);
}

/**
 * @param {string} name - of the file, without its ending
 * @returns {Result | undefined} undefined if there is none
 */
function read(name) {
  if (!fs.existsSync(fileOf(name))) return undefined;
  const result = JSON.parse(fs.readFileSync(fileOf(name), 'utf8'));
  return result.format === FORMAT ? result : undefined;
}

/**
 * A result in which some cases were measured anew.
 * @param {Result | undefined} before - undefined if there is none
 * @param {Result} anew
 * @returns {Result}
 */
function replaced(before, anew) {
  if (before === undefined) return anew;
  const measured = (what) => Object.keys(anew.cases).some((name) => what.startsWith(`${name}, `));
  const { started, sources, cases, capacity, failures, missing } = anew;
  return {
    ...before,
    capacity: capacity ?? before.capacity,
    cases: { ...before.cases, ...cases },
    failures: [...before.failures.filter(({ what }) => !measured(what)), ...failures],
    missing,
    again: [
      ...(before.again ?? []),
      { started, sources, rounds: anew.rounds, cases: Object.keys(cases) },
    ],
  };
}

/**
 * The cases as one generator measured them.
 * @param {Result['cases']} cases
 * @param {string} generator
 * @returns {Record<string, import('./compare').CaseResult>} by name
 */
function measuredBy(cases, generator) {
  return Object.fromEntries(
    Object.entries(cases ?? {}).flatMap(([name, results]) =>
      results[generator] ? [[name, results[generator]]] : [],
    ),
  );
}

module.exports = { FORMAT, fileOf, measuredBy, read, replaced, write };
