'use strict';

/**
 * The channels of `diagnostics_channel`, and whether anybody observes what is published there.
 *
 * What must stay true: an event that nobody observes costs these questions and nothing more.
 */

const { channel, tracingChannel } = require('diagnostics_channel');
const { shownTopics } = require('./log');

/** What has a beginning and an end. */
const traced = {
  authenticate: tracingChannel('loopback-socket:authenticate'),
  call: tracingChannel('loopback-socket:call'),
  subscribe: tracingChannel('loopback-socket:subscribe'),
};

const channels = {
  connect: channel('loopback-socket:connect'),
  disconnect: channel('loopback-socket:disconnect'),
  slow: channel('loopback-socket:slow'),
};

/**
 * Tracing channels say so themselves from Node 20.13 on.
 *
 * @param {import('diagnostics_channel').TracingChannel} tracing a tracing channel
 * @returns {boolean} whether somebody listens to any of its events
 */
function hasSubscribers({ start, end, asyncStart, asyncEnd, error }) {
  return (
    start.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    error.hasSubscribers
  );
}

/**
 * @param {'authenticate' | 'call' | 'subscribe'} kind what begins
 * @returns {boolean} whether somebody observes it
 */
function isTraced(kind) {
  const shown = shownTopics();
  return hasSubscribers(traced[kind]) || channels.slow.hasSubscribers || shown[kind] || shown.slow;
}

/**
 * Whether the call of a method is observed: also if errors are logged, as a call of which nothing is observed
 * reports none.
 *
 * @returns {boolean} whether it is
 */
function isCallObserved() {
  const { call, slow, error } = shownTopics();
  return call || slow || error || channels.slow.hasSubscribers || hasSubscribers(traced.call);
}

module.exports = { channels, isCallObserved, isTraced, traced };
