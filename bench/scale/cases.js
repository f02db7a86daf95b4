'use strict';

// What is measured of servers in a cluster: the native one and npm socket.io 4, with the same adapters on
// the same Redis. A message has 200 bytes of padding.

/**
 * Messages delivered before the figures are taken, all at once: V8 compiles the code meanwhile, on other
 * threads, which count.
 */
const WARM = 200_000;

/** Sockets that join and leave, and how often each of them does. */
const JOINING = { sockets: 100, rounds: 100 };

/** Idle sockets whose memory is measured. */
const IDLE = 5000;

const SERVERS = {
  native: { title: 'native', color: '#d9541e' },
  'socket.io': { title: 'socket.io 4.8.4', color: '#7f8794' },
};

const ADAPTERS = {
  none: 'no adapter',
  redis: '@socket.io/redis-adapter',
  'redis-streams': '@socket.io/redis-streams-adapter',
};

/**
 * @typedef {object} ScaleCase
 * @property {string} name
 * @property {string} title
 * @property {'broadcast'|'joins'|'memory'} kind
 * @property {keyof typeof ADAPTERS} adapter
 * @property {number} [receivers] - of each broadcast
 * @property {number} [count] - of broadcasts
 * @property {number} [gap] - ms between two of them; all at once if 0
 * @property {boolean} [remote] - whether another node broadcasts
 */

/**
 * @param {Omit<ScaleCase, 'kind'>} one
 * @returns {ScaleCase}
 */
const broadcast = (one) => ({ kind: 'broadcast', ...one });

/** @type {ScaleCase[]} */
const SCALE_CASES = [
  broadcast({
    name: 'remote-100',
    title: '3,000 broadcasts of another node at once, to 100',
    ...{ adapter: 'redis', receivers: 100, count: 3000, gap: 0, remote: true },
  }),
  broadcast({
    name: 'remote-100-paced',
    title: 'a broadcast of another node to 100, every 10 ms',
    ...{ adapter: 'redis', receivers: 100, count: 300, gap: 10, remote: true },
  }),
  broadcast({
    name: 'remote-1000',
    title: '300 broadcasts of another node at once, to 1,000',
    ...{ adapter: 'redis', receivers: 1000, count: 300, gap: 0, remote: true },
  }),
  broadcast({
    name: 'remote-1000-paced',
    title: 'a broadcast of another node to 1,000, every 20 ms',
    ...{ adapter: 'redis', receivers: 1000, count: 100, gap: 20, remote: true },
  }),
  broadcast({
    name: 'streams-100',
    title: '3,000 broadcasts of another node at once, to 100',
    ...{ adapter: 'redis-streams', receivers: 100, count: 3000, gap: 0, remote: true },
  }),
  broadcast({
    name: 'local-100',
    title: '3,000 local broadcasts at once, to 100',
    ...{ adapter: 'redis', receivers: 100, count: 3000, gap: 0 },
  }),
  broadcast({
    name: 'local-1000',
    title: '300 local broadcasts at once, to 1,000',
    ...{ adapter: 'redis', receivers: 1000, count: 300, gap: 0 },
  }),
  broadcast({
    name: 'local-1000-paced',
    title: 'a local broadcast to 1,000, every 20 ms',
    ...{ adapter: 'redis', receivers: 1000, count: 100, gap: 20 },
  }),
  broadcast({
    name: 'plain-1000',
    title: '300 local broadcasts at once, to 1,000',
    ...{ adapter: 'none', receivers: 1000, count: 300, gap: 0 },
  }),
  { kind: 'joins', name: 'joins', title: 'join a room and leave it', adapter: 'redis' },
  { kind: 'joins', name: 'joins-plain', title: 'join a room and leave it', adapter: 'none' },
  { kind: 'memory', name: 'memory', title: 'an idle socket in two rooms', adapter: 'redis' },
  { kind: 'memory', name: 'memory-plain', title: 'an idle socket in two rooms', adapter: 'none' },
];

/** The figures of a case, by its kind. */
const SCALE_FIGURES = {
  receiver: {
    title: 'CPU time per broadcast, all threads of the node that has the receivers',
    unit: 'µs',
    kind: 'broadcast',
  },
  main: {
    title: 'CPU time per broadcast, main thread of the node that has the receivers',
    unit: 'µs',
    kind: 'broadcast',
  },
  sender: {
    title: 'CPU time per broadcast, all threads of the node that sends',
    unit: 'µs',
    kind: 'broadcast',
  },
  joining: { title: 'CPU time to join and leave, all threads', unit: 'µs', kind: 'joins' },
  memory: {
    title:
      'Memory per socket that is in use after garbage collection, in V8’s heap and outside of it',
    unit: 'KiB',
    kind: 'memory',
  },
  heap: { title: 'Of that, in V8’s heap', unit: 'KiB', kind: 'memory' },
  allocated: { title: 'Of that, outside of it', unit: 'KiB', kind: 'memory' },
  rss: { title: 'Resident memory gained per socket', unit: 'KiB', kind: 'memory' },
};

/**
 * What is to be reached: the figure of socket.io divided by that of native, by the worse of the
 * generators.
 * @type {{ title: string, name: string, figure: keyof typeof SCALE_FIGURES, must: number }[]}
 */
const SCALE_TARGETS = [
  {
    title: 'Broadcast of another node to 100, through Redis: CPU time of the receiving node',
    ...{ name: 'remote-100', figure: 'receiver', must: 3 },
  },
  {
    title: 'Memory per socket with an adapter, idle, in two rooms',
    ...{ name: 'memory', figure: 'memory', must: 2 },
  },
];

module.exports = {
  ...{ ADAPTERS, IDLE, JOINING, SCALE_CASES, SCALE_FIGURES, SCALE_TARGETS, SERVERS, WARM },
};
