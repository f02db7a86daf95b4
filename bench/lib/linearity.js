'use strict';

// How a cost grows: the exponent of each step of a series. 0 is a cost that stays as it is, 1 one
// that grows as its cause does, 2 a quadratic one.

/** How much more than 1 an exponent may be before a step counts as worse than linear: noise. */
const TOLERANCE = 0.1;

/**
 * @typedef {object} Step
 * @property {number} from - the cause before
 * @property {number} to - and after
 * @property {number} exponent
 * @property {boolean} linear - whether it is no worse than linear
 */

/**
 * @param {{ x: number, y: number }[]} points - a cost y for each cause x, in the order of x
 * @returns {Step[]} one for each two neighbours
 */
function steps(points) {
  return points.slice(1).map((point, i) => {
    const before = points[i];
    const exponent = Math.log(point.y / before.y) / Math.log(point.x / before.x);
    return { from: before.x, to: point.x, exponent, linear: exponent <= 1 + TOLERANCE };
  });
}

module.exports = { TOLERANCE, steps };
