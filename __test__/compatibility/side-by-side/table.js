'use strict';

/**
 * The one table: every sentence of docs/behaviour.md as scenarios. `section` is where the sentence
 * stands, `promise` is the sentence (or the part of it) the scenario proves.
 *
 * @typedef {object} Scenario
 * @property {string} section one of SECTIONS
 * @property {string} promise
 * @property {(bench: object) => Promise<void>} run
 * @property {any} [timeout] of the LoopbackSocket; `none` when left out
 * @property {object} [hostOptions] of the Socket.IO server
 * @property {boolean} [idle] mostly waits for the clock: it does not take a worker's place
 * @property {number} [deviation] number of the deviation that makes us differ from the original
 * @property {string} [contract] why we differ without a number: docs/behaviour.md itself says other
 *   than the original does
 * @property {(combination: object) => Record<string, (string|RegExp)[]>|undefined} [expect] with
 *   `deviation` or `contract`: the whole record; undefined asks for the original's record
 * @property {'differs'|'crashes'|'agrees'} [original] what the original does instead, by default
 *   `differs`
 * @property {RegExp} [crash] what the dying original writes
 * @property {string} [originalHost] the original's host to differ from, by default `original`
 * @property {(combination: object) => string|undefined} [leftOut] why the scenario cannot be run there
 */

const SECTIONS = [
  'API',
  'Handlers',
  "A socket's life 1",
  "A socket's life 2",
  "A socket's life 3",
  "A socket's life 4",
  "A socket's life 5",
  "A socket's life 6",
  "A socket's life 7",
  'Calls',
  'Wire',
  'Deviation 1',
  'Deviation 2',
  'Deviation 3',
  'Deviation 4',
  'Deviation 5',
  'Deviation 6',
  'Deviation 7',
  'Deviation 8',
];

/** @type {Scenario[]} */
const SCENARIOS = [
  ...require('./scenarios/api'),
  ...require('./scenarios/handlers'),
  ...require('./scenarios/life'),
  ...require('./scenarios/calls'),
  ...require('./scenarios/wire'),
  ...require('./scenarios/deviations'),
];

/** @returns {string} the name of a scenario, unique in the table */
const nameOf = (scenario) => `${scenario.section}: ${scenario.promise}`;

module.exports = { SECTIONS, SCENARIOS, nameOf };
