'use strict';

// What is measured of subscriptions, on which servers, and what is to be reached. Every item has 200
// bytes of padding.

/** Subscribers of one key, and private subscriptions. */
const SUBSCRIBERS = 1000;
/** Items a second, and for how many seconds. */
const RATE = 20;
const SECONDS = 3;
/** Items of a burst. */
const BURST = 200;
/** Clients that come back, and what each has missed. */
const RETURNING = 500;
const MISSED = 100;

const PEERS = ['graphql-ws', 'trpc'];
const OURS = ['native', 'hosted-4'];

/**
 * @typedef {object} SubscriptionCase
 * @property {string} name
 * @property {string} title
 * @property {string[]} servers - of `servers.js`
 * @property {(string|number)[]} args - of the load generators
 */

/** @type {SubscriptionCase[]} */
const SUBSCRIPTION_CASES = [
  {
    name: 'shared-paced',
    title: '1,000 subscribers of one key, 20 items a second',
    servers: ['broadcast', ...OURS, ...PEERS],
    args: ['-n', SUBSCRIBERS, '-k', RATE * SECONDS, '--gap', 1000 / RATE],
  },
  {
    name: 'shared-burst',
    title: '1,000 subscribers of one key, 200 items at once',
    servers: ['broadcast', ...OURS, ...PEERS],
    args: ['-n', SUBSCRIBERS, '-k', BURST],
  },
  {
    name: 'private-paced',
    title: '1,000 private subscriptions, 20 items a second each',
    servers: [...OURS, ...PEERS],
    args: [
      '-n',
      SUBSCRIBERS,
      '-k',
      RATE * SECONDS,
      '--gap',
      1000 / RATE,
      '--name',
      'ordersPrivate',
    ],
  },
  {
    name: 'return',
    title: 'a client that comes back and has missed 100 items',
    servers: [...OURS, ...PEERS],
    args: ['-n', RETURNING, '--missed', MISSED, '--name', 'journal', '--warm', 200],
  },
];

/** The figures of a report. */
const FIGURES = {
  cpu: {
    title: 'CPU time per item delivered, all threads of the server',
    unit: 'µs',
    better: 'less',
    read: (report) => report.server_cpu_ms_per_1000,
  },
  main: {
    title: 'CPU time per item delivered, main thread of the server',
    unit: 'µs',
    better: 'less',
    read: (report) => report.main_thread_ms_per_1000,
  },
  deliveries: {
    title: 'Items delivered per second',
    unit: 'items/s',
    better: 'more',
    read: (report) => report.deliveries_per_s,
  },
};

/**
 * @typedef {object} SubscriptionTarget
 * @property {string} title
 * @property {string} name - of the case
 * @property {[string, string]} servers - whose CPU time is divided by whose
 * @property {'at least'|'at most'} bound
 * @property {number} must
 */

/** @type {SubscriptionTarget[]} */
const SUBSCRIPTION_TARGETS = [
  {
    title: 'Shared source, paced: CPU time per item, compared with a plain native broadcast',
    ...{ name: 'shared-paced', servers: ['native', 'broadcast'], bound: 'at most', must: 1.5 },
  },
  {
    title: 'Shared source, paced: CPU time per item of graphql-ws, compared with native',
    ...{ name: 'shared-paced', servers: ['graphql-ws', 'native'], bound: 'at least', must: 4 },
  },
  {
    title: 'Shared source, burst: CPU time per item of graphql-ws, compared with native',
    ...{ name: 'shared-burst', servers: ['graphql-ws', 'native'], bound: 'at least', must: 10 },
  },
];

/** Bytes that an idle shared subscription may take on the native server. */
const MEMORY_MUST = 300;

module.exports = { FIGURES, MEMORY_MUST, SUBSCRIPTION_CASES, SUBSCRIPTION_TARGETS };
