'use strict';

/**
 * The figures of servers for Prometheus: metrics of npm `prom-client` in a registry of the application.
 *
 * What must stay true: each scrape asks a server once, and every name has the prefix `loopback_socket_`.
 */

const { Counter, Gauge, Histogram } = require('prom-client');
const { InvalidOptionError } = require('../errors');
const { checkOptions } = require('../check-options');

const PREFIX = 'loopback_socket_';

/** The label that tells servers apart. */
const SERVER = 'server';

/** The options of `collectMetrics()`. */
const OPTIONS = {
  register: {
    fallback: undefined,
    check: (value) => typeof value?.registerMetric === 'function',
    needs: 'a registry of prom-client',
  },
  name: {
    fallback: 'default',
    check: (value) => typeof value === 'string' && value !== '',
    needs: 'a name that tells the server from others',
  },
};

/**
 * One series: labels but for that of the server, and a value.
 *
 * @typedef {[labels: Record<string, string>, value: number]} Series
 */

/**
 * @typedef {object} Definition
 * @property {Function} type a class of prom-client
 * @property {string} name without the prefix
 * @property {string} help what it is
 * @property {string[]} labels without that of the server
 * @property {(figures: any) => Iterable<Series>} series gives the series of one server
 */

/** @type {Definition[]} */
const DEFINITIONS = [
  {
    type: Gauge,
    name: 'connections',
    help: 'Open connections of clients.',
    labels: ['transport'],
    series: ({ connections }) => byLabel('transport', connections?.open),
  },
  {
    type: Counter,
    name: 'connections_opened_total',
    help: 'Connections that clients have opened, by the transport they began with.',
    labels: ['transport'],
    series: ({ connections }) => byLabel('transport', connections?.opened),
  },
  {
    type: Counter,
    name: 'connections_upgraded_total',
    help: 'Connections that have left long polling for a WebSocket.',
    labels: [],
    series: ({ connections }) => single(connections?.upgraded),
  },
  {
    type: Counter,
    name: 'connections_closed_total',
    help: 'Connections that have ended.',
    labels: ['reason'],
    series: ({ connections }) => byLabel('reason', connections?.closed),
  },
  {
    type: Counter,
    name: 'requests_refused_total',
    help: 'HTTP requests of clients that were refused.',
    labels: ['reason'],
    series: ({ requests }) => byLabel('reason', requests?.refused),
  },
  {
    type: Counter,
    name: 'joins_refused_total',
    help: 'Sockets that were refused in a namespace.',
    labels: ['reason'],
    series: ({ joins }) => byLabel('reason', joins?.refused),
  },
  {
    type: Gauge,
    name: 'sockets',
    help: 'Sockets in namespaces, by whether they have authenticated.',
    labels: ['state'],
    series: ({ sockets }) => byLabel('state', sockets),
  },
  {
    type: Counter,
    name: 'authentications_total',
    help: 'Attempts to authenticate, and sockets that had no more of them, by how they ended.',
    labels: ['result'],
    series: ({ authentication }) =>
      Object.entries(authentication).map(([name, value]) => [{ result: snakeCase(name) }, value]),
  },
  {
    type: Gauge,
    name: 'calls_in_flight',
    help: 'Calls of methods and subscriptions that are not answered yet.',
    labels: ['method', 'kind'],
    series: ({ calls }) =>
      Object.entries(calls.methods).map(([method, { kind, inFlight }]) => [
        { method, kind },
        inFlight,
      ]),
  },
  {
    type: Counter,
    name: 'calls_total',
    help: 'Calls of methods and subscriptions that have been answered.',
    labels: ['method', 'kind', 'result'],
    series: ({ calls }) =>
      Object.entries(calls.methods).flatMap(([method, { kind, succeeded, failed }]) => [
        [{ method, kind, result: 'succeeded' }, succeeded],
        [{ method, kind, result: 'failed' }, failed],
      ]),
  },
  {
    type: Gauge,
    name: 'subscriptions',
    help: 'Subscriptions of clients.',
    labels: [],
    series: ({ subscriptions }) => single(subscriptions.open),
  },
  {
    type: Gauge,
    name: 'queued_bytes',
    help: 'Bytes that are queued for all clients.',
    labels: [],
    series: ({ connections }) => single(connections?.queuedBytes),
  },
  {
    type: Gauge,
    name: 'max_queued_bytes',
    help: 'Bytes that are queued for the client for which the most are.',
    labels: [],
    series: ({ connections }) => single(connections?.maxQueuedBytes),
  },
  {
    type: Counter,
    name: 'dropped_total',
    help: 'Volatile events and items of subscriptions that a client did not get, as it was too slow.',
    labels: ['kind'],
    series: ({ dropped }) => byLabel('kind', dropped),
  },
];

/** The name of the histogram of durations. */
const DURATION = `${PREFIX}call_duration_seconds`;

/** The durations of calls, which the servers have counted already. */
class CallDurations extends Histogram {
  #collector;

  /**
   * @param {Collector} collector what knows the servers
   */
  constructor(collector) {
    super({
      name: DURATION,
      help: 'How long calls took from their dispatch until they were answered.',
      labelNames: [SERVER, 'method', 'kind'],
      registers: [],
    });
    this.#collector = collector;
  }

  /** @returns {Promise<object>} what a registry reads */
  async get() {
    const values = [];
    for (const [server, { calls }] of this.#collector.figures()) {
      for (const [method, { kind, duration }] of Object.entries(calls.methods)) {
        const labels = { [SERVER]: server, method, kind };
        let count = 0;
        const bucket = (le) =>
          values.push({
            labels: { le, ...labels },
            value: count,
            metricName: `${DURATION}_bucket`,
          });
        for (const { le, count: more } of duration.buckets) {
          count += more;
          bucket(le / 1000);
        }
        count = duration.count;
        bucket('+Inf');
        values.push(
          { labels, value: duration.sum / 1000, metricName: `${DURATION}_sum` },
          { labels, value: duration.count, metricName: `${DURATION}_count` },
        );
      }
    }
    const { name, help, type, aggregator } = this;
    return { name, help, type, values, aggregator };
  }

  /** @returns {Promise<object>} what a registry of prom-client 15 reads for text */
  getForPromString() {
    return this.get();
  }
}

/** The metrics of one registry, and the servers whose figures they are. */
class Collector {
  /** @type {Map<string, {server: {metrics: () => object}}>} by name */
  servers = new Map();
  /** @type {[string, object][] | undefined} what all of them have said, while one scrape reads it */
  #figures;

  /**
   * @param {import('prom-client').Registry} register the registry
   */
  constructor(register) {
    const collector = this;
    for (const { type: Metric, name, help, labels, series } of DEFINITIONS) {
      new Metric({
        name: PREFIX + name,
        help,
        labelNames: [SERVER, ...labels],
        registers: [register],
        collect() {
          this.reset();
          for (const [server, figures] of collector.figures()) {
            for (const [more, value] of series(figures)) {
              this.inc({ [SERVER]: server, ...more }, value);
            }
          }
        },
      });
    }
    register.registerMetric(new CallDurations(this));
  }

  /** @returns {[string, object][]} the figures of all servers, the same throughout one scrape */
  figures() {
    if (this.#figures === undefined) {
      this.#figures = [...this.servers].map(([name, { server }]) => [name, server.metrics()]);
      setImmediate(() => {
        this.#figures = undefined;
      });
    }
    return this.#figures;
  }
}

/** @type {WeakMap<object, Collector>} by registry */
const collectors = new WeakMap();

/**
 * Adds the figures of a server to a registry of npm `prom-client`, by which Prometheus gets them. Calls are
 * measured from now on.
 *
 * @param {{metrics: () => object}} server a `LoopbackSocket.Server`, or a LoopbackSocket
 * @param {{register?: import('prom-client').Registry, name?: string}} [options] the registry, prom-client's
 *   default one without; and what the label `server` says, `'default'` without
 * @returns {() => void} takes the figures of the server off the registry again
 * @throws {InvalidOptionError} if an option is unknown or impossible, or the name is in use
 */
function collectMetrics(server, options) {
  if (typeof server?.metrics !== 'function') {
    throw new InvalidOptionError('server', server, 'a LoopbackSocket.Server or a LoopbackSocket');
  }
  const { register = require('prom-client').register, name } = checkOptions(
    OPTIONS,
    options,
    'collectMetrics()',
    'the second argument of collectMetrics()',
  );
  let collector = collectors.get(register);
  // After `register.clear()` its metrics are gone.
  if (collector === undefined || register.getSingleMetric(DURATION) === undefined) {
    collector = new Collector(register);
    collectors.set(register, collector);
  }
  const { servers } = collector;
  if (servers.has(name)) {
    throw new InvalidOptionError('name', name, 'another one for each server of a registry');
  }
  server.metrics();
  const entry = { server };
  servers.set(name, entry);
  return () => {
    // Another server may have got the name since.
    if (servers.get(name) === entry) {
      servers.delete(name);
    }
  };
}

/**
 * @param {number | undefined} value a value, if the server knows it
 * @returns {Series[]} the one series
 */
function single(value) {
  return value === undefined ? [] : [[{}, value]];
}

/**
 * @param {string} label a label
 * @param {Record<string, number> | undefined} values values by what the label says
 * @returns {Series[]} the series
 */
function byLabel(label, values) {
  return Object.entries(values ?? {}).map(([name, value]) => [{ [label]: name }, value]);
}

/**
 * @param {string} name a name such as `timedOut`
 * @returns {string} as Prometheus has it: `timed_out`
 */
function snakeCase(name) {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

module.exports = { collectMetrics };
