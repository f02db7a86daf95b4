'use strict';

// The figures that are taken from a run, how they are told, and which of two is the better one.

/**
 * @typedef {object} Metric
 * @property {string} title
 * @property {string} unit - of the figures as they are told
 * @property {'more'|'less'} better
 * @property {(report: any) => number} read - takes it from what a run reported, in `unit`
 */

const KIB = 1024;
const MIB = 1024 * 1024;

/** @type {Record<string, Metric>} */
const METRICS = {
  calls: {
    title: 'Calls per second',
    unit: 'calls/s',
    better: 'more',
    read: (report) => report.calls_per_s,
  },
  cpu: {
    title: 'CPU time per call, all threads of the server',
    unit: 'µs',
    better: 'less',
    read: (report) => report.server_cpu_ms_per_1000,
  },
  main: {
    title: 'Event loop time per call: CPU time of the main thread',
    unit: 'µs',
    better: 'less',
    read: (report) => report.main_thread_ms_per_1000,
  },
  p50: {
    title: 'Latency, median',
    unit: 'ms',
    better: 'less',
    read: (report) => report.latency.p50_us / 1000,
  },
  p99: {
    title: 'Latency, 99th percentile',
    unit: 'ms',
    better: 'less',
    read: (report) => report.latency.p99_us / 1000,
  },
  p999: {
    title: 'Latency, 99.9th percentile',
    unit: 'ms',
    better: 'less',
    read: (report) => report.latency.p999_us / 1000,
  },
  service: {
    title: 'Latency from when the call was written, median',
    unit: 'ms',
    better: 'less',
    read: (report) => report.service_latency.p50_us / 1000,
  },
  socketP99: {
    title: 'Latency of the sockets’ calls, 99th percentile',
    unit: 'ms',
    better: 'less',
    read: (report) => report.service_latency.p99_us / 1000,
  },
  deliveries: {
    title: 'Events delivered per second',
    unit: 'events/s',
    better: 'more',
    read: (report) => report.deliveries_per_s,
  },
  deliveryCpu: {
    title: 'CPU time per event delivered, all threads of the server',
    unit: 'µs',
    better: 'less',
    read: (report) => report.server_cpu_ms_per_1000,
  },
  broadcastCpu: {
    title: 'CPU time per broadcast, all threads of the server',
    unit: 'µs',
    better: 'less',
    read: (report) => (report.server.cpu_s * 1e6) / report.broadcasts,
  },
  lastAnswer: {
    title: 'Time to the last answer',
    unit: 's',
    better: 'less',
    read: (report) => report.elapsed_s,
  },
  reconnections: {
    title: 'Reconnections',
    unit: 'reconnections',
    better: 'less',
    read: (report) => report.reconnections,
  },
  requests: {
    title: 'REST requests per second',
    unit: 'requests/s',
    better: 'more',
    read: (report) => report.requests_per_s,
  },
  requestCpu: {
    title: 'CPU time per REST request, including the sockets’ calls',
    unit: 'µs',
    better: 'less',
    read: (report) => report.server_cpu_ms_per_1000,
  },
  visits: {
    title: 'Visits per second',
    unit: 'visits/s',
    better: 'more',
    read: (report) => report.connections_per_s,
  },
  visitCpu: {
    title: 'CPU time per visit, all threads of the server',
    unit: 'µs',
    better: 'less',
    read: (report) => report.server_cpu_ms_per_1000,
  },
  memory: {
    title: 'Memory per connection',
    unit: 'KiB',
    better: 'less',
    read: (report) => report.rss_per_conn_end / KIB,
  },
  memoryTotal: {
    title: 'Memory gained',
    unit: 'MiB',
    better: 'less',
    read: (report) => (report.rss_per_conn_end * report.connections) / MIB,
  },
  pendingMemory: {
    title: 'Memory per pending call',
    unit: 'KiB',
    better: 'less',
    read: (report) => report.rss_per_pending_call / KIB,
  },
  pendingTotal: {
    title: 'Memory gained',
    unit: 'MiB',
    better: 'less',
    read: (report) => (report.rss_per_pending_call * report.pending) / MIB,
  },
  idle99: {
    title: 'Latency of the other client before the flood, 99th percentile',
    unit: 'ms',
    better: 'less',
    read: (report) => report.idle.p99_us / 1000,
  },
  flooded99: {
    title: 'Latency of the other client during the flood, 99th percentile',
    unit: 'ms',
    better: 'less',
    read: (report) => report.flooded.p99_us / 1000,
  },
  serverCores: {
    title: 'Cores used by the server',
    unit: 'cores',
    better: 'less',
    read: (report) => report.server.cpu_s / report.elapsed_s,
  },
  generatorCores: {
    title: 'Cores used by the generator',
    unit: 'cores',
    better: 'less',
    read: (report) => report.client_cpu_s / report.elapsed_s,
  },
  callsPerWrite: {
    title: 'Calls per write of a client',
    unit: 'calls',
    better: 'more',
    read: (report) => report.calls / report.writes,
  },
  answersPerRead: {
    title: 'Answers per read of a client',
    unit: 'answers',
    better: 'more',
    read: (report) => report.calls / report.reads,
  },
  segments: {
    title: 'TCP segments per call, both directions',
    unit: 'segments',
    better: 'less',
    read: (report) => report.segments / report.calls,
  },
  wakeups: {
    title: 'Waits of a server thread per call',
    unit: 'waits',
    better: 'less',
    read: (report) => report.server.switches / report.calls,
  },
  loop99: {
    title: 'Event loop delay, 99th percentile',
    unit: 'ms',
    better: 'less',
    read: (report) => report.loop.p99,
  },
  loopMax: {
    title: 'Event loop delay, longest',
    unit: 'ms',
    better: 'less',
    read: (report) => report.loop.max,
  },
};

/** Who had the cores. */
const CORES = ['serverCores', 'generatorCores'];

/** The same, and what a call took of the kernel: why two generators disagree. */
const TRAFFIC = [...CORES, 'callsPerWrite', 'answersPerRead', 'segments', 'wakeups'];

module.exports = { CORES, METRICS, TRAFFIC };
