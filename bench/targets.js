'use strict';

// What the native server is to reach against the better of the two originals, or against another engine,
// and the hosted one against the original on the same socket.io. What counts is the worse of what the two
// generators find.

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

/** Metrics of which more is better. */
const RATES = ['calls', 'deliveries', 'visits', 'requests'];

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
 * A figure of a case, so many times better on a server.
 * @param {string} title
 * @param {string} name - of the case
 * @param {string} metric
 * @param {number} must
 * @param {number} aim
 * @param {object} [rest]
 * @param {string} [rest.server]
 * @param {string[]} [rest.others] - that it is compared with; the originals by default
 * @returns {Target}
 */
function times(title, name, metric, must, aim, { server = 'native', others } = {}) {
  const unit = RATES.includes(metric) ? '×' : '× less';
  const measure = (cases) => advantage(cases[name], metric, server, others);
  return { title, measure, bound: 'at least', must, aim, unit };
}

/**
 * A figure of a case, at most so large a part of that of others.
 * @param {string} title
 * @param {string} name - of the case
 * @param {string} metric
 * @param {number} must
 * @param {number} aim
 * @param {object} [rest]
 * @param {string} [rest.server]
 * @param {string[]} [rest.others] - that it is compared with; the originals by default
 * @returns {Target}
 */
function part(title, name, metric, must, aim, { server = 'native', others } = {}) {
  const measure = (cases) => ratio(cases[name], metric, server, others);
  return { title, measure, bound: 'at most', must, aim, unit: '×' };
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

const BUN = { others: ['bun-engine'] };
const HOSTED = { server: 'hosted-4', others: ['original-4'] };

/** @type {Target[]} */
const TARGETS = [
  times('50 × 8: calls/s', 'calls-50x8', 'calls', 2.5, 4),
  times('50 × 8: CPU time per call', 'calls-50x8', 'cpu', 2, 3),
  times("50 × 8, against Bun's engine: calls/s", 'calls-50x8', 'calls', 1, 1.3, BUN),
  times('500 × 1: calls/s', 'calls-500x1', 'calls', 2.5, 4),
  times('500 × 1: CPU time per call', 'calls-500x1', 'cpu', 2, 3),
  times("500 × 1, against Bun's engine: calls/s", 'calls-500x1', 'calls', 1, 1.3, BUN),
  times('50 × 1: calls/s', 'calls-50x1', 'calls', 1.8, 3),
  times('8 × 1: calls/s', 'calls-8x1', 'calls', 1.3, 2),
  times('4 × 1: calls/s', 'calls-4x1', 'calls', 0.55, 1),
  times('1 × 1: calls/s', 'calls-1x1', 'calls', 0.7, 1),
  times('50 × 8, 1 KiB: calls/s', 'calls-50x8-1k', 'calls', 1.8, 2.5),
  times('50 × 8, sent together: calls/s', 'together-50x8', 'calls', 2, 3),
  times('50 × 8, long polling: calls/s', 'calls-polling', 'calls', 1.8, 4),
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
  keeps('Async handlers, 50 × 8: what they keep of the advantage of sync ones', 'calls-async'),
  keeps('Callback handlers, 50 × 8: what they keep of it', 'calls-callback'),
  part('40,000 calls/s over 100: 99th percentile of the latency', 'paced-40000', 'p99', 0.75, 0.25),
  part('40,000 calls/s over 100: CPU time per call', 'paced-40000', 'cpu', 0.7, 0.4),
  part(
    'At 90 % of what the better original sustains: 99th percentile of the latency',
    ...['paced-90', 'p99', 0.5, 0.2],
  ),
  part('2,000 calls/s over 100: CPU time per call', 'paced-2000', 'cpu', 1, 0.7),
  {
    title: '2,000 calls/s over 100: added to the median latency',
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
  times('Broadcasts at once: events/s', 'burst', 'deliveries', 10, 20),
  times('Broadcasts every 20 ms: CPU time per event', 'spaced', 'deliveryCpu', 1.3, 2),
  times('Visits of default clients: CPU time', 'visits-default', 'visitCpu', 2, 5),
  times('Visits of default clients: visits/s', 'visits-default', 'visits', 1, 2),
  times('Visits over WebSocket: visits/s', 'churn', 'visits', 2.2, 4),
  times("Visits over WebSocket, against Bun's engine: visits/s", 'churn', 'visits', 1.1, 2, BUN),
  part('2,000 default clients at once: time', 'storm-default', 'lastAnswer', 0.6, 0.25),
  part('2,000 default clients at once: longest loop delay', 'storm-default', 'loopMax', 0.4, 0.1),
  times('Visits by TLS: visits/s', 'tls-visits', 'visits', 1.3, 3),
  times('Visits by TLS with resumption: visits/s', 'tls-visits-resumed', 'visits', 1.3, 3),
  times('50 × 1, TLS: calls/s', 'tls-calls', 'calls', 2, 4),
  times('REST, kept alive: requests/s', 'rest', 'requests', 0.97, 1),
  times('REST, a connection each: requests/s', 'rest-connections', 'requests', 0.93, 1),
  {
    title: 'Memory per idle connection (the worst case)',
    measure: (cases) =>
      worst(
        Math.max,
        ['idle-5000', 'idle-20000'].map((name) => ratio(cases[name], 'memory', 'native')),
      ),
    bound: 'at most',
    must: 0.4,
    aim: 0.2,
    unit: '×',
  },
  times('Hosted on 4.8.4, 50 × 8: calls/s', 'calls-50x8', 'calls', 0.95, 1.1, HOSTED),
  times('Hosted on 4.8.4, visits over WebSocket: visits/s', 'churn', 'visits', 1, 1.2, HOSTED),
  part('Hosted on 4.8.4: memory per idle connection', 'idle-5000', 'memory', 1, 0.9, HOSTED),
  part(
    'Hosted on 4.8.4, 2,000 calls/s over 100: 99th percentile of the latency',
    ...['paced-2000', 'p99', 1, 0.8, HOSTED],
  ),
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
