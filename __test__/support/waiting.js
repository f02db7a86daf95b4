'use strict';

// Waits for what no event announces. A wait gives up in time for its test to fail by it: a loop that goes
// on outlives the test that timed out, and holds the whole file.

/** Less than the timeout of a test, which is 20 seconds or more, and long enough for a busy machine. */
const PATIENCE = 16_000;

/**
 * Limits a loop.
 * @param {string} what is waited for
 * @param {number} [patience] in ms
 * @returns {() => void} to be called on each turn of the loop; throws once the time is over
 */
function limited(what, patience = PATIENCE) {
  const until = performance.now() + patience;
  return () => {
    if (performance.now() < until) return;
    throw new Error(`Not reached within ${patience / 1000} seconds: ${what}`);
  };
}

/**
 * Waits for a state that no event announces, looking every other millisecond.
 * @param {() => boolean | Promise<boolean>} isReached
 * @param {number} [patience] in ms
 * @returns {Promise<void>}
 */
async function reach(isReached, patience) {
  const check = limited(String(isReached), patience);
  while (!(await isReached())) {
    check();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

module.exports = { limited, reach };
