'use strict';

// A process of the generator: it is told its part of a job, opens its clients, runs, and says what
// came of it.

const { setTimeout: sleep } = require('node:timers/promises');
const { traffic } = require('./client');
const { MODES, emptyTally, now } = require('./modes');

const tally = emptyTally();
/** @type {{ open: () => Promise<void>, warm?: () => Promise<void>, run: Function, close: () => Promise<void> }} */
let part;

/**
 * Runs a part, and what it cost this process while figures are taken.
 * @param {{ begin: number, from: number, until: number }} times
 * @returns {Promise<{ cpu: number, traffic: typeof traffic }>}
 */
async function run(times) {
  const look = () => ({ cpu: process.cpuUsage(), ...traffic });
  let [before, after] = [look()];
  setTimeout(() => (before = look()), times.from - now());
  const end = setTimeout(() => (after = look()), times.until - now());
  await sleep(times.begin - now());
  await part.run(times, now);
  clearTimeout(end);
  after ??= look();
  const { user, system } = process.cpuUsage(before.cpu);
  const later = process.cpuUsage(after.cpu);
  return {
    cpu: (user + system - later.user - later.system) / 1e6,
    traffic: { writes: after.writes - before.writes, reads: after.reads - before.reads },
  };
}

/** @param {object} message */
async function answer({ mode, job, warm, times, close }) {
  if (mode) {
    part = MODES[mode](job, tally);
    await part.open();
    process.send({ ready: true });
  } else if (warm) {
    await part.warm();
    process.send({ warm: true });
  } else if (times) {
    const used = await run(times);
    process.send({ tally, ...used });
  } else if (close) {
    await part.close();
    process.exit();
  }
}

process.on('message', (message) => {
  answer(message).catch((err) => process.send({ error: err.message }));
});
process.on('disconnect', () => process.exit());
