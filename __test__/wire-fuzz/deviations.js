'use strict';

/**
 * Differences that are meant: each is a row of the table "The wire" in `docs/socketio-api.md`, which
 * gives the reason.
 */

/**
 * @type {{name: string, is: (difference: object, sequence: object) => boolean}[]} `name` is the first
 *   cell of the row
 */
const DEVIATIONS = [
  {
    name: 'patience with Engine.IO 3',
    is: ({ reference, native }, { steps, step }) =>
      isOf3(steps, step) && tells(reference, 'close') && !tells(native, 'close'),
  },
];

/** Whether the client of a step speaks Engine.IO 3. */
function isOf3(steps, { slot }) {
  return steps.some((step) => step.kind === 'open' && step.slot === slot && step.eio === 3);
}

/** Whether the application was told of an event. */
function tells({ application = [] }, event) {
  return application.some((what) => what.includes(event));
}

/**
 * @param {object} difference
 * @param {object} sequence
 * @returns {string | undefined} the deviation that a difference is, if it is a known one
 */
function deviationOf(difference, sequence) {
  return DEVIATIONS.find(({ is }) => is(difference, sequence))?.name;
}

module.exports = { DEVIATIONS, deviationOf };
