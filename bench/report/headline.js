'use strict';

// The benchmark table of the README. `npm run bench:report` generates it between two markers.

const { CASES } = require('../cases');
const { advantage } = require('../lib/compare');
const { GENERATORS } = require('../lib/generator');
const { measuredBy } = require('../lib/results');
const { number } = require('./numbers');

const MARKS = { begin: '<!-- bench:begin -->', end: '<!-- bench:end -->' };

/**
 * @typedef {object} Row
 * @property {string} title
 * @property {string} name - of the case
 * @property {string} metric - the most telling one
 * @property {string} [cpu] - that of CPU time
 */

/** Everyday traffic first. @type {Row[]} */
const ROWS = [
  {
    title: 'default clients: open with polling, authenticate, upgrade, call, leave',
    ...{ name: 'visits-default', metric: 'visits', cpu: 'visitCpu' },
  },
  {
    title: '50 clients with 1 outstanding call each',
    ...{ name: 'calls-50x1', metric: 'calls', cpu: 'cpu' },
  },
  {
    title: '500 clients with 1 outstanding call each',
    ...{ name: 'calls-500x1', metric: 'calls', cpu: 'cpu' },
  },
  {
    title: '50 clients with 8 outstanding calls each',
    ...{ name: 'calls-50x8', metric: 'calls', cpu: 'cpu' },
  },
  {
    title: 'the same, with calls sent together',
    ...{ name: 'together-50x8', metric: 'calls', cpu: 'cpu' },
  },
  {
    title: '50 clients with 8 outstanding calls each, over long polling',
    ...{ name: 'calls-polling', metric: 'calls', cpu: 'cpu' },
  },
  {
    title: '2,000 calls a second over 100 clients: median latency',
    ...{ name: 'paced-2000', metric: 'service', cpu: 'cpu' },
  },
  {
    title: 'WebSocket clients: connect, authenticate, call, leave',
    ...{ name: 'churn', metric: 'visits', cpu: 'visitCpu' },
  },
  {
    title: '2,000 clients reconnect at once: time to the last answer',
    ...{ name: 'storm', metric: 'lastAnswer', cpu: 'visitCpu' },
  },
  {
    title: '100 broadcasts at once to 1,000 clients',
    ...{ name: 'burst', metric: 'deliveries', cpu: 'deliveryCpu' },
  },
  {
    title: '50 clients with 1 outstanding call each, TLS',
    ...{ name: 'tls-calls', metric: 'calls', cpu: 'cpu' },
  },
  {
    title: 'REST requests while sockets make calls',
    name: 'rest',
    metric: 'requests',
    cpu: 'requestCpu',
  },
  { title: 'memory per idle connection', name: 'idle-5000', metric: 'memory' },
];

/**
 * How many times better the native server is, as each generator finds it: the worse first.
 * @param {import('../lib/results').Result['cases']} cases
 * @param {string} name
 * @param {string | undefined} metric
 * @param {string[]} [others]
 * @returns {string} such as `**1.10** (2.00)`; the worse of them counts
 */
function cell(cases, name, metric, others) {
  const found = Object.keys(GENERATORS)
    .map(
      (generator) =>
        metric && advantage(measuredBy(cases, generator)[name], metric, 'native', others),
    )
    .filter((value) => value !== undefined)
    .sort((a, b) => a - b);
  if (found.length === 0) return '–';
  const [worse, ...rest] = found.map(number);
  return [`**${worse}**`, ...rest.map((value) => `(${value})`)].join(' ');
}

/**
 * @param {{ rounds: number, started: string }[]} parts - of a report, in the order in which they were measured
 * @returns {string} how many rounds they had, and when
 */
function runs(parts) {
  const counts = parts.map(({ rounds }) => rounds);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  const [first, last] = [parts[0], parts.at(-1)].map(({ started }) => started.slice(0, 10));
  const rounds = least === most ? most : `${least} to ${most}`;
  const what = most === 1 ? 'One round' : `Medians of ${rounds} rounds`;
  return `${what} ${first === last ? `on ${first}` : `from ${first} to ${last}`}`;
}

/**
 * @param {import('../lib/results').Result} result - of the full run
 * @returns {string} Markdown
 */
function headline({ cases, rounds, started, again = [] }) {
  const rows = ROWS.filter(({ name }) => cases[name]).map(({ title, name, metric, cpu }) => {
    const bun = CASES.find((one) => one.name === name).peers?.includes('bun-engine');
    return [
      title,
      cell(cases, name, metric),
      cell(cases, name, cpu),
      bun ? cell(cases, name, metric, ['bun-engine']) : '–',
    ];
  });
  const heads = [
    'load',
    'rate, time or memory',
    'CPU time',
    'rate or time, compared with @socket.io/bun-engine',
  ];
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const table = [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n');
  return `${runs([{ rounds, started }, ...again])}:\n\n${table}`;
}

/**
 * A document with what is between the marks made anew.
 * @param {string} document
 * @param {string} text
 * @returns {string}
 */
function withHeadline(document, text) {
  const [before, rest] = document.split(MARKS.begin);
  const after = rest?.split(MARKS.end)[1];
  if (after === undefined)
    throw new Error(`there is no ${MARKS.begin} … ${MARKS.end} in the document`);
  return `${before}${MARKS.begin}\n\n${text}\n\n${MARKS.end}${after}`;
}

module.exports = { headline, withHeadline };
