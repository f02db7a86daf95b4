'use strict';

// npm run fuzz:wire -- [--seed N] [--minutes N] [--all] [--replay] [--front node]: plays sequences from fresh seeds, or
// from a given one, for a minute unless told otherwise, and ends at the first difference unless told
// `--all`. A difference is reported when the sequence brings it again. `--replay` plays the one of a seed,
// with what comes of each step. `--front node` has Node's http.Server serve every request.

const { parseArgs } = require('node:util');
const { sequenceOf } = require('./grammar');
const { LIMITS, kindOf, play, playAgain, report, shrink } = require('./fuzz');

/**
 * @param {{seed?: string, minutes: string, all?: boolean, replay?: boolean}} options
 * @returns {Promise<void>}
 */
async function main({ seed, minutes, all, replay }) {
  if (replay) {
    const sequence = sequenceOf(Number(seed));
    console.log(JSON.stringify(sequence.options));
    await play(sequence, LIMITS.usual, (step, notes) => {
      console.log('%j', step);
      console.dir(notes, { depth: 9, breakLength: 150 });
    });
  }
  const first = Number(seed ?? Date.now() % 1_000_000_000);
  const until = Date.now() + Number(minutes) * 60_000;
  const deviations = new Map();
  const seen = new Map();
  /** Seeds whose difference did not come again: of a machine that was busy, as a rule. */
  const once = [];
  let played = 0;
  for (let next = first; Date.now() < until && !(replay && played > 0); next++) {
    const sequence = sequenceOf(next);
    const difference = await play(sequence);
    played += 1;
    if (difference?.deviation !== undefined) {
      deviations.set(difference.deviation, (deviations.get(difference.deviation) ?? 0) + 1);
    } else if (difference !== undefined) {
      const again = seen.has(kindOf(difference)) ? difference : await playAgain(sequence);
      if (again === undefined) {
        once.push(next);
        continue;
      }
      const kind = kindOf(again);
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
      if (seen.get(kind) > 1) continue;
      const smallest = await shrink(sequence, again);
      process.exitCode = 1;
      console.log('%s\n', report(next, smallest.sequence, smallest.difference));
      if (!all) break;
    }
  }
  if (all) for (const [kind, times] of seen) console.log('%d times %s', times, kind);
  if (once.length > 0) console.log('Differed once, and not again: seeds %s.', once.join(', '));
  console.log('%d sequences from seed %d; deviations: %j', played, first, [...deviations]);
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string', default: '1' },
    all: { type: 'boolean' },
    replay: { type: 'boolean' },
    front: { type: 'string' },
  },
});
if (values.front === 'node') require('../../support/node-front');
// Timers of npm socket.io run on for half a minute.
main(values).then(() => process.exit());
