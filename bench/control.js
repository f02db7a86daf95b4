'use strict';

// How the bench talks to a server under test: the server prints `ready <port>`, answers each line of
// its standard input with a line of JSON, and ends when that does. It is the same on Node and Bun.

const { monitorEventLoopDelay } = require('node:perf_hooks');
const readline = require('node:readline');
const v8 = require('node:v8');
const vm = require('node:vm');

/** How often the event loop is looked at, in ms, while its delay is asked for. */
const LOOP_RESOLUTION = 1;

/** What a server is asked. */
const QUESTIONS = {
  watch: 'watch the event loop',
  delay: 'event loop delay',
  memory: 'memory that is in use',
};

/** @returns {NodeJS.MemoryUsage} what is in use when all garbage is collected */
function memory() {
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc');
  // Twice: what is finalized by the first is collected by the second.
  collect();
  collect();
  return process.memoryUsage();
}

/** Answers the process that started this one. */
function answerParent() {
  const histogram = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION });
  const delay = (ns) => Math.max(0, ns / 1e6 - LOOP_RESOLUTION);
  const lines = readline.createInterface({ input: process.stdin });
  lines.on('line', (question) => {
    if (question === QUESTIONS.watch) {
      histogram.enable();
      histogram.reset();
      console.log('{}');
    } else if (question === QUESTIONS.delay) {
      histogram.disable();
      const [p50, p99, max] = [histogram.percentile(50), histogram.percentile(99), histogram.max];
      console.log(JSON.stringify({ p50: delay(p50), p99: delay(p99), max: delay(max) }));
    } else if (question === QUESTIONS.memory) {
      console.log(JSON.stringify(memory()));
    }
  });
  lines.on('close', () => process.exit());
}

/** @param {number} port - that the server listens on */
function sayReady(port) {
  console.log('ready %d', port);
}

module.exports = { QUESTIONS, answerParent, sayReady };
