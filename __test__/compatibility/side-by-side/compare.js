'use strict';

/** Runs scenarios against the original and ours and asserts what each of them promises. */

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const path = require('node:path');
const { run } = require('./bench');
const { combinationsOf } = require('./matrix');
const { nameOf } = require('./table');

/** How many runs go on at once: enough to fill the waits, few enough to keep each one prompt. */
const WORKERS = 12;

let busy = 0;
const queue = [];

/**
 * @template T
 * @param {boolean} idle whether the work mostly waits for the clock and needs no place
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
async function inTurn(idle, work) {
  if (idle) return work();
  if (busy >= WORKERS) await new Promise((resolve) => queue.push(resolve));
  else busy++;
  try {
    return await work();
  } finally {
    const next = queue.shift();
    if (next) next();
    else busy--;
  }
}

const records = new Map();

/**
 * @param {import('./table').Scenario} scenario
 * @param {import('./matrix').Combination} combination
 * @returns {Promise<Record<string, string[]>>} run once, however often it is asked for
 */
function recordOf(scenario, combination) {
  const key = `${nameOf(scenario)} | ${combination.name}`;
  if (!records.has(key)) {
    const { host, client, transport } = combination;
    records.set(
      key,
      inTurn(scenario.idle, () => run(scenario, host, client, transport)),
    );
  }
  return records.get(key);
}

/**
 * The original's run a combination is compared with: same transport; same client if the original's
 * server can talk to it, else client 2.5, whose records differ in nothing that is recorded (see
 * clients.js).
 *
 * @param {import('./table').Scenario} scenario
 * @param {import('./matrix').Combination} combination
 * @returns {import('./matrix').Combination}
 */
function referenceOf(scenario, { client, transport }) {
  const references = combinationsOf(scenario.originalHost ?? 'original');
  const sameTransport = references.filter((reference) => reference.transport === transport);
  return sameTransport.find((reference) => reference.client === client) ?? sameTransport[0];
}

/**
 * @param {Record<string, (string|RegExp)[]>} expected
 * @param {Record<string, string[]>} actual
 * @returns {Record<string, (string|RegExp)[]>} expected, with the actual line where a RegExp of
 *   it matches
 */
function fillIn(expected, actual) {
  const line = (side, pattern, index) => {
    const found = actual[side]?.[index];
    return pattern instanceof RegExp && pattern.test(found) ? found : pattern;
  };
  return Object.fromEntries(
    Object.entries(expected).map(([side, lines]) => [
      side,
      lines.map((pattern, index) => line(side, pattern, index)),
    ]),
  );
}

/**
 * @param {import('./table').Scenario} scenario
 * @param {import('./matrix').Combination} combination of ours
 */
async function assertOurs(scenario, combination) {
  const actual = await recordOf(scenario, combination);
  const explicit = scenario.expect?.(combination);
  if (explicit) {
    assert.deepEqual(actual, fillIn(explicit, actual));
  } else {
    assert.deepEqual(actual, await recordOf(scenario, referenceOf(scenario, combination)));
  }
}

/**
 * @param {import('./table').Scenario} scenario
 * @param {import('./matrix').Combination} combination of the original
 */
async function assertOriginal(scenario, combination) {
  if (scenario.original === 'crashes') return assertCrash(scenario, combination);
  const record = await recordOf(scenario, combination);
  const explicit = scenario.expect?.(combination);
  if (!explicit || scenario.original === 'agrees') return;
  assert.notDeepEqual(record, fillIn(explicit, record), 'the original does not differ any more');
}

/**
 * @param {import('./table').Scenario} scenario
 * @param {import('./matrix').Combination} combination of the original
 */
async function assertCrash(scenario, combination) {
  const { code, output } = await inTurn(false, () => runInChild(scenario, combination));
  assert.notEqual(code, 0, 'the original lives on');
  assert.match(output, scenario.crash);
}

/** @returns {Promise<{code: number, output: string}>} */
function runInChild(scenario, { hostKey, client, transport }) {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [path.join(__dirname, 'child.js'), nameOf(scenario), hostKey, client, transport],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let output = '';
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

module.exports = { assertOurs, assertOriginal };
