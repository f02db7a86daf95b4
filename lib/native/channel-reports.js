'use strict';

/**
 * Takes what the addon's class `Channel` returns apart: a list of reports (`src/protocol.rs` has their
 * fields), each of which tells the owner of the channel what to do.
 */

const protocol = require('./protocol');

const { CHANNEL_REPORT_FIELDS: FIELDS, NONE } = protocol.Layout;
const { CREDIT, DELIVER, ENDED } = protocol.ChannelReport;
const { FINISHED, SLOW } = protocol.SubscriptionEnd;

/** What the ends of a subscription are called. */
const ENDS = { [SLOW]: 'slow', [FINISHED]: 'finished' };

/**
 * @typedef {object} ReportHandlers
 * @property {(subscriber: number, offset: number, request: number | undefined) => void} deliver sends an
 *   item; with a request, the client is to acknowledge it, which goes to `acknowledge` with that number
 * @property {(subscriber: number, count: number) => void} credit the client has acknowledged this many more
 * @property {(subscriber: number, reason: 'slow' | 'finished') => void} ended the subscriber is removed
 */

/**
 * Calls the handler of each report, in order.
 *
 * @param {number[]} reports what a method of a `Channel` returned
 * @param {ReportHandlers} handlers what to do
 * @returns {void}
 */
function dispatchReports(reports, handlers) {
  for (let i = 0; i < reports.length; i += FIELDS) {
    const subscriber = reports[i + 1];
    const a = reports[i + 2];
    switch (reports[i]) {
      case DELIVER: {
        const request = reports[i + 3];
        handlers.deliver(subscriber, a, request === NONE ? undefined : request);
        break;
      }
      case CREDIT:
        handlers.credit(subscriber, a);
        break;
      case ENDED:
        handlers.ended(subscriber, endOf(a));
        break;
      // No default
    }
  }
}

/**
 * @param {number} number a `SubscriptionEnd`
 * @returns {'slow' | 'finished'} its name
 */
function endOf(number) {
  return ENDS[number];
}

module.exports = { dispatchReports, endOf };
