'use strict';

// How the cost of things grows with their number: a series of points each, measured on the native
// server and on the original that is its like.

/** Whose growth is measured. */
const GROWTH_SERVERS = ['original-4', 'native'];

/** Connections in the series in which something else grows. */
const CONNECTIONS = 50;
const WINDOW = 8;

/** Members of the room that is broadcast to, while the number of other rooms grows. */
const MEMBERS = 100;

/**
 * Broadcasts to an audience that grows. As many to each: what one costs depends on how many of them a
 * connection gets in one write.
 */
const BROADCASTS = 100;

/** Seconds of each half of a flood: long enough for a 99th percentile of 200 calls per second. */
const FLOOD_SECONDS = 3;

/**
 * @typedef {object} Series
 * @property {string} name
 * @property {string} title
 * @property {string} text - what is done
 * @property {string} axis - what grows
 * @property {number[]} points - how many of it
 * @property {string[]} metrics - of `metrics.js`, each a chart
 * @property {string[]} [log] - the metrics whose charts have a logarithmic scale
 * @property {Record<string, (value: number) => number>} costs - the costs that must not grow worse
 *   than linearly: made of the values of a metric
 * @property {(x: number, setting: import('./cases').Setting) => { x?: number,
 *   args: (string|number)[], env?: Record<string, string> }} load - of a point; `x` if it was
 *   lowered to what this machine allows
 */

/**
 * Arguments of the closed loop.
 * @param {number} connections
 * @param {number} window
 * @param {import('./cases').Setting} setting
 * @returns {(string|number)[]}
 */
const calls = (connections, window, { warmup, seconds }) => [
  'call',
  '--together',
  '-n',
  connections,
  '-w',
  window,
  '--warmup',
  warmup,
  '-s',
  seconds,
];

/** A call takes so long in all: the cost that a rate of calls stands for. */
const timePerCall = (callsPerSecond) => 1 / callsPerSecond;

/** A cost as it was measured. */
const asItIs = (value) => value;

/** @type {Series[]} */
const GROWTH = [
  {
    name: 'connections',
    title: 'Calls against connections',
    text: 'One call outstanding on each connection.',
    axis: 'connections',
    points: [10, 100, 1000, 5000, 20_000],
    metrics: ['calls', 'cpu'],
    costs: { calls: timePerCall, cpu: asItIs },
    load: (x, setting) => {
      const n = Math.min(x, setting.connectionLimit);
      // All begin at once: with thousands, the first answers are not like the others.
      const warmup = setting.warmup + n / 10_000;
      return { x: n, args: calls(n, 1, { ...setting, warmup }) };
    },
  },
  {
    name: 'methods',
    title: 'Calls against methods',
    text: `${CONNECTIONS} × ${WINDOW} calls of one method, sent together, with this many methods defined.`,
    axis: 'methods',
    points: [1, 10, 1000],
    metrics: ['calls', 'cpu'],
    costs: { calls: timePerCall, cpu: asItIs },
    load: (x, setting) => ({
      args: calls(CONNECTIONS, WINDOW, setting),
      env: { BENCH_METHODS: String(x) },
    }),
  },
  {
    name: 'rooms',
    title: 'Calls against rooms',
    text: `${CONNECTIONS} × ${WINDOW} calls, sent together, while the connections are in this many rooms in total.`,
    axis: 'rooms',
    points: [1, 100, 10_000],
    metrics: ['calls', 'cpu'],
    costs: { calls: timePerCall, cpu: asItIs },
    load: (x, setting) => ({
      args: calls(CONNECTIONS, WINDOW, setting),
      env: { BENCH_ROOMS: String(x), BENCH_MEMBERS: String(CONNECTIONS) },
    }),
  },
  {
    name: 'rooms-broadcast',
    title: 'Broadcasts to one room against rooms',
    text: `Events to one room of ${MEMBERS} members, while this many other rooms exist.`,
    axis: 'rooms',
    points: [1, 100, 10_000],
    metrics: ['broadcastCpu'],
    costs: { broadcastCpu: asItIs },
    load: (x) => ({
      args: ['fanout', '-n', MEMBERS, '-k', 2000, '--extra', '{"room":"audience"}'],
      env: { BENCH_ROOMS: String(x), BENCH_MEMBERS: String(MEMBERS) },
    }),
  },
  {
    name: 'audience',
    title: 'Broadcasts against their audience',
    text: `${BROADCASTS} events of 200 bytes to every client, all at once.`,
    axis: 'receivers',
    points: [10, 100, 1000, 10_000],
    metrics: ['broadcastCpu'],
    log: ['broadcastCpu'],
    costs: { broadcastCpu: asItIs },
    load: (x, { connectionLimit }) => {
      const n = Math.min(x, connectionLimit);
      return { x: n, args: ['fanout', '-n', n, '-k', BROADCASTS] };
    },
  },
  {
    name: 'memory-connections',
    title: 'Memory against connections',
    text: 'Resident memory gained from idle connections.',
    axis: 'connections',
    points: [100, 1000, 5000, 20_000],
    metrics: ['memory', 'memoryTotal'],
    log: ['memoryTotal'],
    costs: { memoryTotal: asItIs },
    load: (x, { connectionLimit }) => {
      const n = Math.min(x, connectionLimit);
      return { x: n, args: ['idle', '-n', n, '-s', 1] };
    },
  },
  {
    name: 'memory-pending',
    title: 'Memory against pending calls',
    text: 'Resident memory gained from calls that wait for their answer, on 100 connections.',
    axis: 'pending calls',
    points: [1000, 10_000, 100_000],
    metrics: ['pendingMemory', 'pendingTotal'],
    log: ['pendingTotal'],
    costs: { pendingTotal: asItIs },
    load: (x) => ({ args: ['pending', '-n', 100, '-w', x / 100] }),
  },
  {
    name: 'flood',
    title: 'Another client during a flood',
    text:
      'One connection keeps this many calls outstanding. Another one makes 200 calls per second; its ' +
      'latency is measured before and during the flood.',
    axis: 'calls outstanding on the other connection',
    points: [2000],
    metrics: ['flooded99', 'idle99'],
    costs: {},
    load: (x, { warmup }) => ({
      args: ['flood', '-w', x, '--warmup', warmup, '-s', FLOOD_SECONDS],
    }),
  },
];

/** How many times its idle value the 99th percentile of a client beside a flood may be. */
const FLOOD_BOUND = 3;

module.exports = { FLOOD_BOUND, GROWTH, GROWTH_SERVERS };
