'use strict';

/**
 * Required before any engine: engine.io 3 leaves timers of 20 to 60 seconds behind when a polling
 * client goes away, which would keep the finished tests waiting. Timers that long do not keep this
 * process alive; those of the tests themselves are shorter.
 */

const LONGEST_OF_OURS = 15000;

const { setTimeout: startTimer } = globalThis;

globalThis.setTimeout = Object.assign(function (callback, delay, ...values) {
  const timer = startTimer(callback, delay, ...values);
  return delay > LONGEST_OF_OURS && delay < 2 ** 31 ? timer.unref() : timer;
}, startTimer);
