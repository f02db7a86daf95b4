'use strict';

// How figures are written.

/**
 * A number with three significant digits.
 * @param {number} value
 * @returns {string} such as `188,000` or `0.0412`
 */
function number(value) {
  if (value === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  const rounded = Number(value.toPrecision(3));
  return rounded.toLocaleString('en', {
    minimumFractionDigits: Math.min(digits, 2),
    maximumFractionDigits: Math.min(digits, 4),
  });
}

/**
 * A median with what it lies between.
 * @param {import('../lib/statistics').Spread | undefined} spread
 * @returns {string} such as `188,000 (176,000–190,000)`, or a dash
 */
function figure(spread) {
  if (!spread) return '–';
  return `${number(spread.median)} (${number(spread.min)}–${number(spread.max)})`;
}

/**
 * How many times better.
 * @param {number | undefined} advantage
 * @param {'more'|'less'} better - which is better of the figure
 * @returns {string} such as `2.41×` or `2.3× less`
 */
function times(advantage, better) {
  if (advantage === undefined) return '–';
  if (better === 'more') return `${number(advantage)}×`;
  return advantage >= 1 ? `${number(advantage)}× less` : `${number(1 / advantage)}× more`;
}

module.exports = { figure, number, times };
