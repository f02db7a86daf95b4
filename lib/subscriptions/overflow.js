'use strict';

/** What becomes of items that a subscriber does not take in time, as the option `overflow` has it. */
module.exports = Object.freeze({
  /** The subscription ends as slow. */
  OVERFLOW_END: 'end',
  /** The newest item replaces those that wait. */
  OVERFLOW_LATEST: 'latest',
});
