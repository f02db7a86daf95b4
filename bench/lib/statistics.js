'use strict';

// What becomes of the rounds of a case: the middle one, and how far they lie apart.

/**
 * @typedef {object} Spread
 * @property {number} median
 * @property {number} min
 * @property {number} max
 */

/**
 * @param {number[]} values - at least one
 * @returns {number} the middle one, or the mean of the two in the middle
 */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/**
 * @param {number[]} [values]
 * @returns {Spread | undefined} undefined when there are none
 */
function spread(values = []) {
  if (values.length === 0) return undefined;
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

module.exports = { median, spread };
