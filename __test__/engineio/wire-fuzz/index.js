'use strict';

// npm run fuzz:wire -- [--seed N] [--minutes N] [--all] [--replay]: plays sequences from fresh seeds, or
// from a given one, for a minute unless told otherwise, and ends at the first difference unless told
// `--all`. `--replay` plays the one of a seed, with what comes of each step.

const { parseArgs } = require('node:util');
const { sequenceOf } = require('./grammar');
const { kindOf, play, report, shrink } = require('./fuzz');

/**
 * @param {{seed?: string, minutes: string, all?: boolean, replay?: boolean}} options
 * @returns {Promise<void>}
 */
async function main({ seed, minutes, all, replay }) {
  if (replay) {
    const sequence = sequenceOf(Number(seed));
    console.log(JSON.stringify(sequence.options));
    await play(sequence, (step, notes) => {
      console.log('%j', step);
      console.dir(notes, { depth: 9, breakLength: 150 });
    });
  }
  const first = Number(seed ?? Date.now() % 1_000_000_000);
  const until = Date.now() + Number(minutes) * 60_000;
  const deviations = new Map();
  const seen = new Map();
  let played = 0;
  for (let next = first; Date.now() < until; next++) {
    const sequence = sequenceOf(next);
    const difference = await play(sequence);
    played += 1;
    if (difference?.deviation !== undefined) {
      deviations.set(difference.deviation, (deviations.get(difference.deviation) ?? 0) + 1);
    } else if (difference !== undefined) {
      const kind = kindOf(difference);
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
      if (seen.get(kind) > 1) continue;
      const smallest = await shrink(sequence);
      if (smallest.difference === undefined) {
        console.log('Seed %d differed once, and not again.', next);
        continue;
      }
      process.exitCode = 1;
      console.log('%s\n', report(next, smallest.sequence, smallest.difference));
      if (!all) break;
    }
    if (replay) break;
  }
  if (all) for (const [kind, times] of seen) console.log('%d times %s', times, kind);
  console.log('%d sequences from seed %d; deviations: %j', played, first, [...deviations]);
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string', default: '1' },
    all: { type: 'boolean' },
    replay: { type: 'boolean' },
  },
});
// Timers of npm socket.io run on for half a minute.
main(values).then(() => process.exit());
