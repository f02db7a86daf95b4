'use strict';

// How busy the process is that serves the sockets: what the charts of the page show.

const { monitorEventLoopDelay } = require('node:perf_hooks');
const { setTimeout: sleep } = require('node:timers/promises');

/** How often a source gives an item, in ms. */
const INTERVAL = 500;

/** How often the delay of the event loop is sampled, in ms; the histogram counts it in. */
const RESOLUTION = 5;

const toMs = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - RESOLUTION);

/**
 * @param {AbortSignal} signal - ends it
 * @param {() => object[]} servers - that are serving
 * @yields {{ delay: object, cpu: number, at: number, servers: object[] }} twice a second. `delay` is that of the event loop in ms;
 *   `cpu` is the CPU time that the process has used so far, in µs, all its threads
 */
async function* serverLoad(signal, servers) {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION });
  histogram.enable();
  try {
    for (;;) {
      await sleep(INTERVAL, undefined, { signal });
      const { user, system } = process.cpuUsage();
      yield {
        at: Date.now(),
        delay: {
          median: toMs(histogram.percentile(50)),
          p99: toMs(histogram.percentile(99)),
          max: toMs(histogram.max),
        },
        cpu: user + system,
        memory: process.memoryUsage.rss(),
        servers: servers(),
      };
      histogram.reset();
    }
  } finally {
    histogram.disable();
  }
}

module.exports = { serverLoad };
