'use strict';

// What is measured on every server. "50 × 8" is 50 connections with 8 calls outstanding on each. Each
// call is written by itself, as a client's `emit()` writes it, unless a case says "sent together".

const { CORES, TRAFFIC } = require('./metrics');

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
 * @property {(setting: Setting) => (string|number)[]} load - arguments of the load generators
 * @property {('rust'|'node')[]} [generators] - that put the load; both by default
 * @property {string[]} [peers] - servers beside the four that it is measured on
 * @property {string[]} [traffic] - metrics of who had the cores and what calls took of the kernel
 * @property {Record<string, string>} [env] - what the app is told
 * @property {boolean} [quick] - whether it is in the quick run, too
 * @property {3} [eio] - the clients' revision of Engine.IO on all servers; the server's own otherwise
 * @property {boolean} [needsCapacity] - whether its load depends on what the originals sustain
 * @property {boolean | 'whole'} [watchLoop] - whether the app's event loop delay is measured, and if
 *   so, all the time or only once it is warm
 */

/** Parts of the report, in their order. */
const GROUPS = {
  calls: {
    title: 'Calls',
    text:
      'A closed loop: each connection keeps that many calls outstanding and makes the next one when one ' +
      'is answered. Each call is a separate write, as with `emit()` of a client.',
  },
  kinds: {
    title: 'Call variants',
    text:
      'The same closed loop with one change: calls sent together, other handlers, payloads or clients. “Sent together” means that the client corks its socket: ' +
      'calls that a connection makes in the same tick are one write.',
  },
  paced: {
    title: 'Calls at a given rate',
    text:
      'An open loop: calls are sent on a schedule, whatever the server does, and the latency of a call ' +
      'counts from when it was due. So a server that stalls cannot hide it. Node’s timers have a ' +
      'resolution of a millisecond: the generator in Node makes the calls that are due within one at ' +
      'once.',
  },
  broadcasts: {
    title: 'Broadcasts',
    text: 'Events of 200 bytes to 1,000 connections; every connection must receive every event once.',
  },
  visits: {
    title: 'Connections that come and go',
    text:
      'Clients connect, authenticate, call once and leave, again and again. Default clients use the ' +
      'default settings of socket.io-client: they open with polling, authenticate, upgrade, call and ' +
      'leave. Their upgrade waits up to 100 ms for the server to release a poll, so more of them run at ' +
      'a time.',
  },
  storms: {
    title: 'Reconnection storms',
    text:
      '2,000 clients connect at once to a server that has just started, authenticate, call once and ' +
      'stay. Measured are the time until the last answer and how long the event loop is blocked. A ' +
      'client that is refused or gives up tries again after half a second.',
  },
  surroundings: {
    title: 'TLS, and REST beside sockets',
    text:
      'TLS 1.3 with ECDSA P-256, which the native server does in Rust (option `tls`) and the others in Node ' +
      '(`https.createServer`). REST: 16 clients request a route of the same process in a closed ' +
      'loop, with keep-alive connections or with one for each request, while 50 sockets make 4,000 calls a second. Only the generator in Node ' +
      'measures these.',
  },
  memory: {
    title: 'Idle connections',
    text:
      'Resident memory that the server gained from connections that have authenticated and are idle, ' +
      'one second after the last one was opened.',
  },
};

const CALL_METRICS = ['calls', 'cpu', 'main', 'p50', 'p99'];
/** After so many calls V8 has compiled what it will: before, a slow load would measure compiling. */
const WARM_CALLS = 6000;
/**
 * So many seconds of calls go before the figures of some: until then V8 compiles the server and the generator in
 * Node, and the native server finds out how it serves these clients best. After one second, calls by the generator in
 * Node still took up to a fifth more of either than after three.
 */
const WARM_SECONDS = 3;
/**
 * So many seconds of visits go before the figures of some: until then a visit is mostly compiling, and for the
 * 3 seconds of their timeout the originals keep all that visitors leave behind.
 */
const WARM_VISITS = 3.5;
const PACED_METRICS = ['p99', 'p50', 'p999', 'service', 'cpu', 'main'];

/**
 * Servers beside the four: those that run the app, those that have polling, and all. The raw ones do the least that
 * answers a call, so they show what a generator leaves to win.
 */
const WHOLE_PEERS = ['bun-engine', 'uws-engine'];
const POLLING_PEERS = [...WHOLE_PEERS, 'socketioxide'];
const FLOORS = ['raw-ws', 'raw-uws', 'raw-bun'];
const ALL_PEERS = [...POLLING_PEERS, ...FLOORS];

/**
 * @param {Case} one
 * @returns {('rust'|'node')[]} the generators that put its load
 */
const generatorsOf = ({ generators = ['rust', 'node'] }) => generators;

/**
 * @param {Case} one
 * @returns {string[]} the servers beside the four that it is measured on
 */
const peersOf = ({ peers = [] }) => peers;

/**
 * @param {Case} one
 * @returns {string[]} all metrics that are taken of it
 */
const metricsOf = ({ metrics, traffic = [] }) => [...metrics, ...traffic];

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
    traffic: TRAFFIC,
    load: ({ warmup, seconds }) =>
      ['call', '-n', connections, '-w', window]
        .concat('--warmup', Math.max(warmup, WARM_SECONDS), '-s', seconds)
        .concat(options),
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
 * A case of clients that come and go.
 * @param {string} name
 * @param {string} title
 * @param {number} clients - at a time
 * @param {object} rest
 * @param {(string|number)[]} [rest.options] - further arguments of the load generator
 * @returns {Case}
 */
function visits(name, title, clients, { options = [], ...rest } = {}) {
  return {
    name,
    title,
    group: 'visits',
    metrics: ['visits', 'visitCpu', 'p50', 'p99'],
    traffic: CORES,
    load: ({ warmup, seconds }) =>
      ['churn', '-n', clients, '--warmup', Math.max(warmup, WARM_VISITS), '-s', seconds].concat(
        options,
      ),
    ...rest,
  };
}

/**
 * A case of REST requests beside sockets.
 * @param {string} name
 * @param {string} title
 * @param {string[]} [options] - further arguments of the load generator
 * @returns {Case}
 */
function rest(name, title, options = []) {
  const sockets = ['-n', 50, '-r', 4000, '--requests', 16, ...options];
  return {
    name,
    title,
    group: 'surroundings',
    metrics: ['requests', 'requestCpu', 'p50', 'p99', 'socketP99'],
    load: ({ warmup, seconds }) => ['rest', ...sockets, '--warmup', warmup, '-s', seconds],
    generators: ['node'],
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
    generators: ['rust'],
    peers: wanted === 5000 ? ALL_PEERS : [],
    load: ({ connectionLimit }) => ['idle', '-n', Math.min(wanted, connectionLimit), '-s', 1],
  };
}

/** @type {Case[]} */
const CASES = [
  calls(50, 1, { quick: true, peers: ALL_PEERS }),
  calls(50, 8, { quick: true, peers: ALL_PEERS }),
  calls(50, 8, { name: 'calls-50x8-1k', title: '50 × 8, 1 KiB', options: ['-p', 1024] }),
  calls(500, 1, { peers: ALL_PEERS }),
  calls(8, 1),
  calls(4, 1),
  calls(1, 1),

  calls(50, 8, {
    name: 'together-50x8',
    title: '50 × 8, sent together',
    group: 'kinds',
    options: ['--together'],
    quick: true,
    peers: ALL_PEERS,
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
    generators: ['rust'],
    eio: 3,
  }),
  calls(50, 8, {
    name: 'calls-polling',
    title: '50 × 8, long polling',
    group: 'kinds',
    options: ['--transport', 'polling'],
    quick: true,
    peers: POLLING_PEERS,
  }),
  calls(50, 8, {
    name: 'calls-binary',
    title: '50 × 8, 1 KiB of binary',
    group: 'kinds',
    generators: ['rust'],
    options: ['--binary', '-m', 'blob', '-p', 1024],
  }),
  calls(50, 1, {
    name: 'calls-64k',
    title: '50 × 1, 64 KiB',
    group: 'kinds',
    generators: ['rust'],
    options: ['-p', 65_536],
  }),

  paced(50, ({ capacity }) => Math.round(0.9 * capacity), {
    name: 'paced-90',
    title: '50 connections, at 90 % of what the better original sustains',
    generators: ['rust'],
    needsCapacity: true,
  }),
  paced(100, () => 2000, {
    name: 'paced-2000',
    title: '100 connections, 2,000 calls/s',
    quick: true,
    peers: WHOLE_PEERS,
  }),
  paced(100, () => 20_000, {
    name: 'paced-20000',
    title: '100 connections, 20,000 calls/s',
  }),
  paced(100, () => 40_000, {
    name: 'paced-40000',
    title: '100 connections, 40,000 calls/s',
  }),
  paced(50, ({ capacity }) => Math.round(0.5 * capacity), {
    name: 'loop-delay',
    title: '50 connections, at 50 % of what the better original sustains',
    metrics: ['loop99', 'loopMax'],
    generators: ['rust'],
    needsCapacity: true,
    watchLoop: true,
  }),

  {
    name: 'burst',
    title: '100 broadcasts at once',
    group: 'broadcasts',
    metrics: ['deliveries', 'deliveryCpu'],
    load: () => ['fanout', '-n', 1000, '-k', 100],
    peers: WHOLE_PEERS,
  },
  {
    name: 'spaced',
    title: 'a broadcast every 20 ms',
    group: 'broadcasts',
    metrics: ['deliveryCpu'],
    load: ({ seconds }) => ['fanout', '-n', 1000, '-k', Math.round(seconds * 50), '--gap', 20],
  },

  visits('visits-default', 'default clients, 200 at a time', 200, {
    options: ['--transport', 'upgrade'],
    quick: true,
    peers: POLLING_PEERS,
  }),
  visits('churn', 'WebSocket only, 16 at a time', 16, { peers: POLLING_PEERS }),

  {
    name: 'storm',
    title: '2,000 clients at once, WebSocket only',
    group: 'storms',
    metrics: ['lastAnswer', 'loopMax', 'reconnections', 'visitCpu', 'p50'],
    load: () => ['storm', '-n', 2000],
    watchLoop: 'whole',
    peers: POLLING_PEERS,
  },
  {
    name: 'storm-default',
    title: '2,000 default clients at once',
    group: 'storms',
    metrics: ['lastAnswer', 'loopMax', 'reconnections', 'visitCpu', 'p50'],
    load: () => ['--transport', 'upgrade', 'storm', '-n', 2000],
    watchLoop: 'whole',
  },

  calls(50, 1, {
    name: 'tls-calls',
    title: '50 × 1, TLS',
    group: 'surroundings',
    metrics: ['calls', 'cpu', 'main', 'p99'],
    options: ['--tls'],
    generators: ['node'],
    env: { BENCH_TLS: '1' },
    peers: FLOORS,
  }),
  visits('tls-visits', 'visits, WebSocket only, 16 at a time, TLS', 16, {
    group: 'surroundings',
    options: ['--tls'],
    generators: ['node'],
    env: { BENCH_TLS: '1' },
  }),
  visits('tls-visits-resumed', 'the same with a session that is resumed', 16, {
    group: 'surroundings',
    options: ['--tls', '--resume'],
    generators: ['node'],
    env: { BENCH_TLS: '1' },
  }),
  rest('rest', 'REST requests, kept alive, during 4,000 calls/s of 50 sockets'),
  rest('rest-connections', 'the same with a connection for each request', ['--no-keep-alive']),

  idle(5000),
  idle(20_000),
];

/** The cases that are also measured with one core for the server: real traffic. */
const ONE_CORE = [
  ...['calls-50x1', 'calls-50x8', 'calls-500x1', 'calls-8x1', 'calls-1x1', 'calls-polling'],
  ...['paced-2000', 'paced-40000', 'visits-default', 'churn', 'storm-default', 'tls-calls'],
];

module.exports = { CASES, GROUPS, ONE_CORE, generatorsOf, metricsOf, peersOf };
