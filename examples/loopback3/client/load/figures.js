// The figures of the last run on each server, side by side.

import { duration, h, whole } from '../dom.js';

/** What is shown of a run, and whether more is better. */
const FIGURES = [
  { title: 'Calls per second', of: ({ rate }) => rate, format: whole, isMoreBetter: true },
  { title: 'Round trip, median', of: ({ median }) => median, format: duration },
  { title: 'Round trip, 99th percentile', of: ({ p99 }) => p99, format: duration },
  { title: 'Event loop delay, 99th percentile', of: ({ delay }) => delay, format: duration },
  {
    title: 'CPU time of the server per call',
    of: ({ cpu }) => cpu,
    format: (us) => `${us < 100 ? us.toFixed(1) : Math.round(us)} µs`,
  },
];

/** Up to this ratio, two figures are called the same. */
const SAME = 1.05;

/**
 * @param {number} ratio - how much better native is
 * @returns {string} in words
 */
function comparison(ratio) {
  const times = (value) => `${value.toFixed(value < 10 ? 1 : 0)}×`;
  if (ratio > SAME) return `${times(ratio)} better`;
  return ratio < 1 / SAME ? `${times(1 / ratio)} worse` : 'the same';
}

/**
 * Shows the figures.
 * @param {HTMLTableSectionElement} body - of the table
 * @param {{ native?: object, hosted?: object }} results - of the runs
 */
export function showFigures(body, { native, hosted }) {
  const rows = FIGURES.map(({ title, of, format, isMoreBetter }) => {
    const values = [native, hosted].map((result) => (result ? of(result) : null));
    const shown = values.map((value) => (value === null ? '–' : format(value)));
    const [first, second] = isMoreBetter ? values : values.toReversed();
    const ratio = first > 0 && second > 0 ? first / second : null;
    const verdict = h('td', {}, ratio === null ? '–' : comparison(ratio));
    verdict.classList.toggle('better', ratio > SAME);
    const goal = isMoreBetter ? 'more is better' : 'less is better';
    return h(
      'tr',
      {},
      h('th', { scope: 'row' }, title, h('span', { className: 'muted' }, ` ${goal}`)),
      ...shown.map((text) => h('td', {}, text)),
      verdict,
    );
  });
  body.replaceChildren(...rows);
}
