'use strict';

// What the native server is to reach against the better of the two originals, and the hosted one
// against the original on the same socket.io. What counts is the worse of what the two generators
// find.

const { GENERATORS } = require('./lib/generator');
const { measuredBy } = require('./lib/results');
const { advantage, better, medianOf, ratio } = require('./lib/compare');

/**
 * @typedef {object} Target
 * @property {string} title
 * @property {(cases: Record<string, import('./lib/compare').CaseResult>) => number | undefined}
 *   measure - of the cases as one generator measured them; undefined if they are not in it
 * @property {'at least'|'at most'} bound
 * @property {number} must
 * @property {number} aim
 * @property {string} unit - that follows a number
 */

/** Cases of 50 connections and more, in which event loop time counts. */
const BUSY = ['calls-50x8', 'calls-50x1', 'calls-50x8-1k', 'calls-500x1', 'together-50x8'];

/**
 * The least, or the greatest, of those figures that there are.
 * @param {(...values: number[]) => number} pick - `Math.min` or `Math.max`
 * @param {(number | undefined)[]} values
 * @returns {number | undefined}
 */
function worst(pick, values) {
  const known = values.filter((value) => value !== undefined);
  return known.length > 0 ? pick(...known) : undefined;
}

/**
 * A figure of a case, so many times better on the native server.
 * @param {string} title
 * @param {string} name - of the case
 * @param {string} metric
 * @param {number} must
 * @param {number} aim
 * @returns {Target}
 */
function times(title, name, metric, must, aim) {
  const unit = ['calls', 'deliveries', 'visits'].includes(metric) ? '×' : '× less';
  const measure = (cases) => advantage(cases[name], metric, 'native');
  return { title, measure, bound: 'at least', must, aim, unit };
}

/**
 * How much of a sync handler's advantage is left to another kind of handler, in per cent.
 * @param {string} title
 * @param {string} name - of the case
 * @returns {Target}
 */
function keeps(title, name) {
  const measure = (cases) => {
    const [kind, sync] = [cases[name], cases['calls-50x8']].map((one) =>
      advantage(one, 'calls', 'native'),
    );
    return kind && sync && (100 * kind) / sync;
  };
  return { title, measure, bound: 'at least', must: 75, aim: 75, unit: ' %' };
}

/** @type {Target[]} */
const TARGETS = [
  times('50 × 8: calls/s', 'calls-50x8', 'calls', 2, 3),
  times('50 × 8: CPU time per call', 'calls-50x8', 'cpu', 2, 2.5),
  times('50 × 8, sent together: calls/s', 'together-50x8', 'calls', 2, 3),
  times('50 × 1: calls/s', 'calls-50x1', 'calls', 1.4, 1.8),
  times('50 × 8, 1 KiB: calls/s', 'calls-50x8-1k', 'calls', 1.8, 2.5),
  times('500 × 1: calls/s', 'calls-500x1', 'calls', 1.9, 2.5),
  {
    title: 'Event loop time per call, 50 connections and more (the worst case)',
    measure: (cases) =>
      worst(
        Math.min,
        BUSY.map((name) => advantage(cases[name], 'main', 'native')),
      ),
    bound: 'at least',
    must: 4.5,
    aim: 10,
    unit: '× less',
  },
  {
    title: 'At 90 % of what the better original sustains: 99th percentile of the latency',
    measure: (cases) => ratio(cases['paced-90'], 'p99', 'native'),
    bound: 'at most',
    must: 0.5,
    aim: 0.2,
    unit: '×',
  },
  times('Broadcasts at once: events/s', 'burst', 'deliveries', 10, 20),
  times('Broadcasts every 20 ms: CPU time per event', 'spaced', 'deliveryCpu', 1.3, 2),
  times('Visits over websocket: visits/s', 'churn', 'visits', 2.2, 4),
  times('Visits of default clients: visits/s', 'visits-default', 'visits', 1, 2),
  {
    title: 'Memory per idle connection (the worst case)',
    measure: (cases) =>
      worst(
        Math.max,
        ['idle-5000', 'idle-20000'].map((name) => ratio(cases[name], 'memory', 'native')),
      ),
    bound: 'at most',
    must: 1,
    aim: 0.5,
    unit: '×',
  },
  times('8 × 1: calls/s', 'calls-8x1', 'calls', 0.9, 1),
  times('4 × 1: calls/s', 'calls-4x1', 'calls', 0.55, 1),
  times('1 × 1: calls/s', 'calls-1x1', 'calls', 0.7, 1),
  {
    title: '2,000 calls/s over 100 connections: CPU time per call',
    measure: (cases) => ratio(cases['paced-2000'], 'cpu', 'native'),
    bound: 'at most',
    must: 1,
    aim: 0.7,
    unit: '×',
  },
  {
    title: '2,000 calls/s over 100 connections: added to the median latency',
    measure: (cases) => {
      const paced = cases['paced-2000'];
      const [native, original] = ['native', better(paced, 'service')].map((server) =>
        medianOf(paced, 'service', server),
      );
      return native === undefined || original === undefined
        ? undefined
        : (native - original) * 1000;
    },
    bound: 'at most',
    must: 50,
    aim: 20,
    unit: ' µs',
  },
  {
    title: 'Hosted on socket.io 4.8.4 against the original there, 50 × 8: calls/s',
    measure: (cases) => ratio(cases['calls-50x8'], 'calls', 'hosted-4', ['original-4']),
    bound: 'at least',
    must: 0.95,
    aim: 1.1,
    unit: '×',
  },
  keeps('Async handlers, 50 × 8: what they keep of the advantage of sync ones', 'calls-async'),
  keeps('Callback handlers, 50 × 8: what they keep of it', 'calls-callback'),
];

/**
 * @typedef {object} Verdict
 * @property {Target} target
 * @property {Record<string, number | undefined>} found - by generator
 * @property {number | undefined} value - the worse of them, which counts
 * @property {'aim'|'must'|'no'|undefined} reached
 */

/**
 * What became of each target.
 * @param {import('./lib/results').Result['cases']} cases - of a result
 * @returns {Verdict[]}
 */
function judge(cases) {
  const views = Object.keys(GENERATORS).map((generator) => [
    generator,
    measuredBy(cases, generator),
  ]);
  return TARGETS.map((target) => {
    const found = Object.fromEntries(
      views.map(([generator, measured]) => [generator, target.measure(measured)]),
    );
    const isLeast = target.bound === 'at least';
    const value = worst(isLeast ? Math.min : Math.max, Object.values(found));
    if (value === undefined) return { target, found, value, reached: undefined };
    const meets = (wanted) => (isLeast ? value >= wanted : value <= wanted);
    return {
      target,
      found,
      value,
      reached: meets(target.aim) ? 'aim' : meets(target.must) ? 'must' : 'no',
    };
  });
}

module.exports = { TARGETS, judge };
