'use strict';

/**
 * The figures of a native server, for `io.metrics()`. Rust counts connections, what is queued and what is
 * dropped; here they get their names, and what JavaScript has counted is added.
 */

const { CallMetrics } = require('../calls/call-metrics');
const { CloseReason, Refusal } = require('../native/protocol');

/** The names of reasons and refusals by number, such as `ping_timeout` and `unknown_session`. */
const REASONS = namesOf(CloseReason);
const REFUSALS = namesOf(Refusal);

/** Why sockets are refused in a namespace, in the order in which they are counted below. */
const JOIN_REFUSALS = new Map(['middleware', 'unknown_namespace'].entries());

/** What a server says that has not been attached yet. */
const NOTHING = Object.freeze({
  polling: 0,
  websocket: 0,
  queuedBytes: 0,
  maxQueuedBytes: 0,
  openedPolling: 0,
  openedWebsocket: 0,
  upgraded: 0,
  closed: Object.freeze([]),
  volatileDropped: 0,
  itemsDropped: 0,
  joining: 0,
  pending: 0,
  authenticated: 0,
  open: 0,
  subscriptions: 0,
  accepted: 0,
  rejected: 0,
  timedOut: 0,
  unknownNamespaces: 0,
});

/**
 * @param {import('../native/link').NativeLink} link the native server; its calls are measured from now on
 * @returns {object} its figures
 */
function serverMetrics(link) {
  link.callMetrics ??= new CallMetrics();
  const native = link.native?.metrics() ?? link.lastMetrics ?? NOTHING;
  const { tooManyAttempts, tooManyPending, byMiddleware, requests } = link.refused;
  return {
    connections: {
      open: { polling: native.polling, websocket: native.websocket, other: 0 },
      opened: { polling: native.openedPolling, websocket: native.openedWebsocket },
      upgraded: native.upgraded,
      closed: byName(REASONS, native.closed),
      queuedBytes: native.queuedBytes,
      maxQueuedBytes: native.maxQueuedBytes,
    },
    requests: { refused: byName(REFUSALS, requests) },
    joins: { refused: byName(JOIN_REFUSALS, [byMiddleware, native.unknownNamespaces]) },
    sockets: {
      joining: native.joining,
      pending: native.pending,
      authenticated: native.authenticated,
      open: native.open,
    },
    authentication: {
      accepted: native.accepted,
      rejected: native.rejected,
      timedOut: native.timedOut,
      tooManyAttempts,
      tooManyPending,
    },
    calls: link.callMetrics.figures,
    subscriptions: { open: native.subscriptions },
    dropped: { volatile: native.volatileDropped, items: native.itemsDropped },
  };
}

/**
 * Measures calls anew for a native server that begins, if they are measured. Those of sockets before it still end in the
 * figures of theirs.
 *
 * @param {import('../native/link').NativeLink} link the native server
 * @returns {void}
 */
function measureAnew(link) {
  link.callMetrics &&= new CallMetrics();
}

/**
 * @param {Record<string, number>} numbers a group of the protocol
 * @returns {Map<number, string>} the names of its numbers, in lower case
 */
function namesOf(numbers) {
  return new Map(Object.entries(numbers).map(([name, number]) => [number, name.toLowerCase()]));
}

/**
 * @param {Map<number, string>} names the names of numbers
 * @param {readonly number[]} counts what was counted, by number
 * @returns {Record<string, number>} the same by name, without what has not happened
 */
function byName(names, counts) {
  const result = {};
  counts.forEach((count, number) => {
    const name = names.get(number);
    if (count > 0 && name !== undefined) {
      result[name] = count;
    }
  });
  return result;
}

module.exports = { REFUSALS, measureAnew, serverMetrics };
