'use strict';

// What is measured on every server. "50 × 8" is 50 connections with 8 calls outstanding on each.

/**
 * What a case may depend on.
 * @typedef {object} Setting
 * @property {number} warmup - seconds before the figures are taken
 * @property {number} seconds - for which they are taken
 * @property {number} capacity - calls per second that the better original sustains on 50 connections
 * @property {number} connectionLimit - how many connections one process can hold here
 */

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {string} title
 * @property {string} group - one of GROUPS
 * @property {string[]} metrics - of `metrics.js`, the first the most telling
 * @property {(setting: Setting) => (string|number)[]} load - arguments of the load generator
 * @property {boolean} [quick] - whether it is in the quick run, too
 * @property {3} [eio] - the clients' revision of Engine.IO on all servers; the server's own otherwise
 * @property {boolean} [needsCapacity] - whether its load depends on what the originals sustain
 * @property {boolean} [watchLoop] - whether the app's event loop delay is measured
 */

/** Parts of the report, in their order. */
const GROUPS = {
  calls: {
    title: 'Calls',
    text:
      'A closed loop: each connection keeps that many calls outstanding and sends the next when one ' +
      'is answered.',
  },
  kinds: {
    title: 'Handlers, payloads and clients of other kinds',
    text:
      'The same closed loop with one thing changed. “Each call written by itself” is how a browser ' +
      'sends them; elsewhere the calls that a connection is free to send at one instant are one write.',
  },
  paced: {
    title: 'Calls at a given rate',
    text:
      'An open loop: calls leave on a schedule, whatever the server does, and the latency of a call ' +
      'counts from when it was due. So a server that stalls cannot hide it.',
  },
  broadcasts: {
    title: 'Broadcasts',
    text: 'Events of 200 bytes to 1,000 connections; each must receive each, once.',
  },
  visits: {
    title: 'Connections that come and go',
    text: '16 clients at a time connect, authenticate, call once and leave, again and again.',
  },
  memory: {
    title: 'Idle connections',
    text:
      'Resident memory that the server gained by connections that have authenticated and are ' +
      'silent, a second after the last was opened.',
  },
};

const CALL_METRICS = ['calls', 'cpu', 'main', 'p50', 'p99'];
/** After so many calls V8 has compiled what it will: before, a slow load would measure compiling. */
const WARM_CALLS = 6000;
const PACED_METRICS = ['p99', 'p50', 'p999', 'service', 'cpu', 'main'];

/**
 * A case of the closed loop.
 * @param {number} connections
 * @param {number} window - calls outstanding on each
 * @param {object} [rest]
 * @param {(string|number)[]} [rest.options] - further arguments of the load generator
 * @returns {Case}
 */
function calls(connections, window, { options = [], ...rest } = {}) {
  return {
    name: `calls-${connections}x${window}`,
    title: `${connections} × ${window}`,
    group: 'calls',
    metrics: CALL_METRICS,
    load: ({ warmup, seconds }) =>
      ['call', '-n', connections, '-w', window, '--warmup', warmup, '-s', seconds].concat(options),
    ...rest,
  };
}

/**
 * A case of the open loop.
 * @param {number} connections
 * @param {(setting: Setting) => number} rate - in calls per second
 * @param {object} rest
 * @returns {Case}
 */
function paced(connections, rate, rest) {
  return {
    group: 'paced',
    metrics: PACED_METRICS,
    load: (setting) => {
      const { seconds } = setting;
      const warmup = Math.max(setting.warmup, WARM_CALLS / rate(setting));
      const times = ['--warmup', warmup, '-s', seconds];
      return ['paced', '-n', connections, '-r', rate(setting), ...times];
    },
    ...rest,
  };
}

/**
 * A case of idle connections: as many as wanted, or as one process may hold.
 * @param {number} wanted
 * @returns {Case}
 */
function idle(wanted) {
  return {
    name: `idle-${wanted}`,
    title: `${wanted.toLocaleString('en')} connections`,
    group: 'memory',
    metrics: ['memory'],
    load: ({ connectionLimit }) => ['idle', '-n', Math.min(wanted, connectionLimit), '-s', 1],
  };
}

/** @type {Case[]} */
const CASES = [
  calls(50, 8, { quick: true }),
  calls(50, 1, { quick: true }),
  calls(50, 8, {
    name: 'calls-50x8-1k',
    title: '50 × 8, 1 KiB',
    options: ['-p', 1024],
    quick: true,
  }),
  calls(500, 1, { quick: true }),
  calls(8, 1, { quick: true }),
  calls(4, 1),
  calls(1, 1, { quick: true }),

  calls(50, 8, {
    name: 'calls-each',
    title: '50 × 8, each call written by itself',
    group: 'kinds',
    options: ['--write-each'],
  }),
  calls(50, 8, {
    name: 'calls-async',
    title: '50 × 8, async handler',
    group: 'kinds',
    options: ['-m', 'doubleAsync'],
  }),
  calls(50, 8, {
    name: 'calls-callback',
    title: '50 × 8, callback handler',
    group: 'kinds',
    options: ['-m', 'doubleCallback'],
  }),
  calls(50, 8, {
    name: 'calls-eio3',
    title: '50 × 8, Engine.IO 3 clients',
    group: 'kinds',
    eio: 3,
  }),
  calls(50, 8, {
    name: 'calls-polling',
    title: '50 × 8, long polling',
    group: 'kinds',
    options: ['--transport', 'polling'],
  }),
  calls(50, 8, {
    name: 'calls-binary',
    title: '50 × 8, 1 KiB of binary',
    group: 'kinds',
    options: ['--binary', '-m', 'blob', '-p', 1024],
  }),
  calls(50, 1, {
    name: 'calls-64k',
    title: '50 × 1, 64 KiB',
    group: 'kinds',
    options: ['-p', 65_536],
  }),

  paced(50, ({ capacity }) => Math.round(0.9 * capacity), {
    name: 'paced-90',
    title: '50 connections, at 90 % of what the better original sustains',
    needsCapacity: true,
    quick: true,
  }),
  paced(100, () => 2000, {
    name: 'paced-2000',
    title: '100 connections, 2,000 calls/s',
    quick: true,
  }),
  paced(50, ({ capacity }) => Math.round(0.5 * capacity), {
    name: 'loop-delay',
    title: '50 connections, at 50 % of what the better original sustains',
    metrics: ['loop99', 'loopMax'],
    needsCapacity: true,
    watchLoop: true,
  }),

  {
    name: 'burst',
    title: '100 broadcasts at once',
    group: 'broadcasts',
    metrics: ['deliveries', 'deliveryCpu'],
    load: () => ['fanout', '-n', 1000, '-k', 100],
    quick: true,
  },
  {
    name: 'spaced',
    title: 'a broadcast every 20 ms',
    group: 'broadcasts',
    metrics: ['deliveryCpu'],
    load: ({ seconds }) => ['fanout', '-n', 1000, '-k', Math.round(seconds * 50), '--gap', 20],
  },

  {
    name: 'churn',
    title: '16 clients at a time',
    group: 'visits',
    metrics: ['visits', 'visitCpu', 'p50', 'p99'],
    load: ({ seconds }) => ['churn', '-n', 16, '-s', seconds],
    quick: true,
  },

  idle(5000),
  idle(20_000),
];

module.exports = { CASES, GROUPS };
