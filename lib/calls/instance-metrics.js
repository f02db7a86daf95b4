'use strict';

/**
 * The figures of one LoopbackSocket, wherever it was started, for `loopbackSocket.metrics()`.
 */

const { CallMetrics } = require('./call-metrics');

/**
 * What there is on one of the servers that an instance was started on.
 *
 * @typedef {object} HostFigures
 * @property {{pending: number, authenticated: number, open: number}} sockets how many sockets it serves
 * @property {number} subscriptions how many subscriptions they have
 * @property {{polling: number, websocket: number, other: number}} [connections] how many connections the
 *   server has by transport; only of a server of npm `socket.io`
 * @property {object} [engine] that server, as several of its namespaces may be served
 */

/**
 * @param {import('../loopback-socket')} instance the instance; its calls are measured from now on
 * @returns {object} its figures
 */
function instanceMetrics(instance) {
  const { _definitions: definitions } = instance;
  definitions.callMetrics ??= new CallMetrics();
  const sockets = { joining: 0, pending: 0, authenticated: 0, open: 0 };
  let subscriptions = 0;
  let open;
  const engines = new Set();
  for (const figures of definitions.hostFigures(instance)) {
    sockets.pending += figures.sockets.pending;
    sockets.authenticated += figures.sockets.authenticated;
    sockets.open += figures.sockets.open;
    subscriptions += figures.subscriptions;
    if (figures.connections !== undefined && !engines.has(figures.engine)) {
      engines.add(figures.engine);
      open ??= { polling: 0, websocket: 0, other: 0 };
      open.polling += figures.connections.polling;
      open.websocket += figures.connections.websocket;
      open.other += figures.connections.other;
    }
  }
  return {
    ...(open === undefined ? {} : { connections: { open } }),
    sockets,
    authentication: { ...definitions.authentication },
    calls: definitions.callMetrics.figures,
    subscriptions: { open: subscriptions },
  };
}

module.exports = { instanceMetrics };
