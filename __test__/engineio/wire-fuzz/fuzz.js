'use strict';

/**
 * Plays sequences to npm socket.io and to the native server in lock-step, and compares.
 */

const assert = require('node:assert/strict');
const { Server: Reference } = require('socket.io');
const { Server: Native } = require('../../..');
const { deviationOf } = require('./deviations');
const { Side } = require('./side');

/**
 * How long the sides may take, in ms: `grace` to become alike, `patience` for something that is bound to
 * come. `slow` is for a machine that has much else to do.
 */
const LIMITS = {
  usual: { grace: 400, patience: 500 },
  quick: { grace: 100, patience: 500 },
  slow: { grace: 3000, patience: 4000 },
};

/**
 * @typedef {object} Difference
 * @property {number} step - its number, from 0
 * @property {object} reference - what npm socket.io's clients and application were told in it
 * @property {object} native - the same of the native server's
 * @property {string} [deviation] - the deviation that it is, if it is a known one
 */

/**
 * @param {unknown} a
 * @param {unknown} b
 * @returns {boolean}
 */
function isSame(a, b) {
  try {
    assert.deepStrictEqual(a, b);
    return true;
  } catch {
    return false;
  }
}

/**
 * @param {object} notes - of a step
 * @param {object} more - what came later in it
 */
function merge(notes, more) {
  for (const [where, what] of Object.entries(more)) {
    notes[where] = [...(notes[where] ?? []), ...what].filter(
      // As `Side` does within what it gives at once.
      (one, i, all) =>
        !/polls/.test(where) || all[i - 1] !== one || (one !== '6' && !/heads$/.test(where)),
    );
  }
}

/**
 * Plays a sequence up to the first difference.
 *
 * @param {{options: object, steps: object[]}} sequence
 * @param {{grace: number, patience: number}} [limits] - see `LIMITS`
 * @param {(step: object, notes: object) => void} [show] - called with each step
 * @returns {Promise<Difference | undefined>}
 */
async function play({ options, steps }, { grace, patience } = LIMITS.usual, show = () => {}) {
  const all = { allowEIO3: true, serveClient: false, ...options };
  const reference = new Side(Reference, all, patience);
  const native = new Side(Native, all, patience);
  try {
    await Promise.all([reference.start(), native.start()]);
    for (const [number, step] of steps.entries()) {
      await Promise.all([reference.play(step), native.play(step)]);
      const notes = [reference.take(), native.take()];
      const until = Date.now() + grace;
      while (!isSame(...notes) && Date.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        await Promise.all([reference.settle(), native.settle()]);
        merge(notes[0], reference.take());
        merge(notes[1], native.take());
      }
      show(step, notes[0]);
      if (!isSame(...notes)) {
        const difference = { step: number, reference: notes[0], native: notes[1] };
        const deviation = deviationOf(difference, { options: all, steps });
        return { ...difference, deviation };
      }
    }
    return undefined;
  } finally {
    await Promise.all([reference.close(), native.close()]);
  }
}

/**
 * Plays a sequence again that brought a difference, with patience: a machine that is busy may have had
 * one side take too long.
 *
 * @param {{options: object, steps: object[]}} sequence
 * @returns {Promise<Difference | undefined>} the difference that is no known deviation, if it comes again
 */
async function playAgain(sequence) {
  for (let times = 0; times < 3; times++) {
    const difference = await play(sequence, LIMITS.slow);
    if (difference !== undefined) {
      return difference.deviation === undefined ? difference : undefined;
    }
  }
  return undefined;
}

/**
 * Makes a sequence smaller for as long as it still brings a difference.
 *
 * @param {{options: object, steps: object[]}} sequence
 * @param {Difference} difference - what it brings
 * @param {number} [limit] - how many sequences are tried at most
 * @returns {Promise<{sequence: object, difference: Difference}>}
 */
async function shrink(sequence, difference, limit = 80) {
  let smallest = { ...sequence, steps: sequence.steps.slice(0, difference.step + 1) };
  const tryOne = async (candidate) => {
    if (limit <= 0) return false;
    limit -= 1;
    const found = await play(candidate, LIMITS.quick).catch(() => undefined);
    if (found === undefined || found.deviation !== undefined) return false;
    smallest = { ...candidate, steps: candidate.steps.slice(0, found.step + 1) };
    difference = found;
    return true;
  };
  for (let hasShrunk = true; hasShrunk && limit > 0;) {
    hasShrunk = false;
    for (let at = smallest.steps.length - 1; at >= 0; at--) {
      const steps = smallest.steps.toSpliced(at, 1);
      hasShrunk = (await tryOne({ ...smallest, steps })) || hasShrunk;
      at = Math.min(at, smallest.steps.length);
    }
    for (let at = smallest.steps.length - 1; at >= 0; at--) {
      for (const list of ['packets', 'frames']) {
        for (let i = (smallest.steps[at]?.[list]?.length ?? 0) - 1; i >= 0; i--) {
          if (smallest.steps[at][list].length < 2) break;
          const step = smallest.steps[at];
          const steps = smallest.steps.with(at, { ...step, [list]: step[list].toSpliced(i, 1) });
          hasShrunk = (await tryOne({ ...smallest, steps })) || hasShrunk;
          if (smallest.steps[at] === undefined) break;
          i = Math.min(i, smallest.steps[at][list]?.length ?? 0);
        }
      }
    }
    if (Object.keys(smallest.options).length > 0) {
      hasShrunk = (await tryOne({ ...smallest, options: {} })) || hasShrunk;
    }
  }
  return { sequence: smallest, difference };
}

/**
 * @param {number} seed
 * @param {object} sequence - as small as it could be made
 * @param {Difference} difference
 * @returns {string} a report for whoever looks into it
 */
function report(seed, sequence, difference) {
  const lines = [`The servers differ. Seed ${seed}; as small as it could be made:`];
  lines.push(`  options ${JSON.stringify(sequence.options)}`);
  for (const step of sequence.steps) lines.push(`  ${JSON.stringify(step)}`);
  const places = new Set([...Object.keys(difference.reference), ...Object.keys(difference.native)]);
  lines.push('What came of the last step, where it is not the same:');
  for (const where of [...places].sort()) {
    const [a, b] = [difference.reference[where] ?? [], difference.native[where] ?? []];
    if (isSame(a, b)) continue;
    lines.push(`  ${where}`, '    socket.io:');
    for (const one of a) lines.push(`      ${JSON.stringify(one)}`);
    lines.push('    native:');
    for (const one of b) lines.push(`      ${JSON.stringify(one)}`);
  }
  return lines.join('\n');
}

/**
 * What kind of difference it is, roughly: those that look the same are one.
 *
 * @param {Difference} difference
 * @returns {string}
 */
function kindOf({ reference, native }) {
  const places = [...new Set([...Object.keys(reference), ...Object.keys(native)])].sort();
  const kinds = new Set();
  for (const where of places) {
    const [a, b] = [reference[where] ?? [], native[where] ?? []].map((list) =>
      list.map((one) => JSON.stringify(one).replace(/\d+|"\/[^"]*"/g, '#')),
    );
    const only = [a.filter((one) => !b.includes(one)), b.filter((one) => !a.includes(one))];
    if (!isSame(a, b)) kinds.add(`${where.replace(/\d+/g, '#')} ${JSON.stringify(only)}`);
  }
  return [...kinds].join('\n');
}

module.exports = { LIMITS, kindOf, play, playAgain, report, shrink };
