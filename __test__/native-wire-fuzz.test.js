'use strict';

// Random sequences of requests, frames and packets, played to npm socket.io and to the native server in
// lock-step (`wire-fuzz/`): a bounded part of what `npm run fuzz:wire` does.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');
const { DEVIATIONS } = require('./wire-fuzz/deviations');
const { play, report, shrink } = require('./wire-fuzz/fuzz');
const { sequenceOf } = require('./wire-fuzz/grammar');

/** How long sequences are played, in ms; those of the first seeds in any case. */
const BUDGET = 50_000;
const SEEDS = 20;

describe('on the wire', () => {
  it(
    'random sequences come to the same on socket.io and on the native server',
    { timeout: 300_000, skip: process.env.WIRE_FUZZ === undefined },
    async () => {
      // The seeds are the same in every run, so that a failure can be played again.
      const until = Date.now() + BUDGET;
      for (let seed = 1; seed <= SEEDS || Date.now() < until; seed++) {
        const sequence = sequenceOf(seed);
        const difference = await play(sequence);
        if (difference === undefined || difference.deviation !== undefined) continue;
        const smallest = await shrink(sequence);
        assert.fail(report(seed, smallest.sequence, smallest.difference ?? difference));
      }
    },
  );

  it('every deviation that the fuzzer takes is in the table, with its reason', () => {
    const file = path.join(__dirname, '..', 'docs', 'socketio-api.md');
    const section = fs
      .readFileSync(file, 'utf8')
      .split(/^## /m)
      .find((text) => text.startsWith('The wire\n'));
    const rows = section
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .map((line) => line.split('|').map((cell) => cell.trim()));
    for (const { name } of DEVIATIONS) {
      const row = rows.find(([, what]) => what === name);
      assert.ok(row, name);
      assert.ok(row.at(-2).length > 0, name);
    }
  });
});
