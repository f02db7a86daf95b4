'use strict';

/**
 * Ends a subscription whose client does not acknowledge, where it is not the channel that finds out: nothing
 * waits in the channel, because items are only put into it when the client has credit for them.
 *
 * @param {import('./socket-subscriptions').Subscriber} subscriber the subscriber, which has used up its window
 * @param {number | null} ackTimeout how many ms its client has to acknowledge something; `null` for ever
 * @returns {NodeJS.Timeout | undefined} to clear when it has
 */
function startAckTimer(subscriber, ackTimeout) {
  if (ackTimeout === null) {
    return undefined;
  }
  const timer = setTimeout(() => {
    // While items are held, the client may not have been sent what it is to acknowledge.
    if (subscriber.isHeld) {
      timer.refresh();
    } else {
      subscriber.sockets.end(subscriber, 'slow');
    }
  }, ackTimeout);
  return timer.unref();
}

module.exports = { startAckTimer };
