'use strict';

// Whether anything grows with what a server has done: very many clients visit (connect, authenticate,
// call, leave; over websockets, over long polling, and from polling to a websocket) and call. After each
// round all clients have left, garbage is collected, and what memory is in use is noted.
//
//   node bench/soak.js                    100,000 visits and 10,000,000 calls in ten rounds
//   node bench/soak.js --visits 10000     fewer visits; so with --calls, --rounds
//   node bench/soak.js --server hosted-4  on another server of `servers.js`
//
// Builds what it measures, and knows the variables of `npm run bench`. The exit code is 1 if anything
// grew, or any answer was wrong or missing.

const { parseArgs } = require('node:util');
const { AppProcess } = require('./lib/app-process');
const { build } = require('./lib/build');
const { commands, load } = require('./lib/generator');
const { QUESTIONS } = require('./control');

/** Of ten visits so many are of each kind. */
const VISITS = { websocket: 6, polling: 2, upgrade: 2 };
/** Clients at once. */
const CLIENTS = 50;
/** Rounds until caches, pools and the code that is compiled have their size. */
const WARM = 3;
/** What may be more than after those rounds: less than 1 % of the visits could leave anything behind. */
const LIMITS = { heapUsed: 2e6, rss: 16e6 };

const MB = (bytes) => (bytes / 1e6).toFixed(1);

/**
 * Has clients visit and call until there were so many of both.
 * @param {(args: (string|number)[]) => Promise<object>} run - a load
 * @param {number} visits
 * @param {number} calls
 * @returns {Promise<{visits: number, calls: number}>} how many there were
 */
async function round(run, visits, calls) {
  const done = { visits: 0, calls: 0 };
  for (const [transport, share] of Object.entries(VISITS)) {
    let left = Math.ceil((visits * share) / 10);
    while (left > 0) {
      const clients = ['-n', CLIENTS, '--total', left, '--transport', transport];
      const { connections } = await run(['churn', ...clients, '--warmup', 0, '-s', 60]);
      left -= connections;
      done.visits += connections;
    }
  }
  while (done.calls < calls) {
    const report = await run([
      'call',
      '--together',
      '-n',
      CLIENTS,
      '-w',
      8,
      '--warmup',
      0,
      '-s',
      2,
    ]);
    done.calls += report.calls;
    done.visits += CLIENTS;
  }
  return done;
}

/**
 * @param {NodeJS.MemoryUsage[]} samples - one a round
 * @returns {string[]} what grew
 */
function grown(samples) {
  const warm = samples[Math.min(WARM, samples.length) - 1];
  const last = samples.at(-1);
  return Object.keys(LIMITS).filter((key) => last[key] - warm[key] > LIMITS[key]);
}

async function main() {
  const { values } = parseArgs({
    options: {
      server: { type: 'string', default: 'native' },
      visits: { type: 'string', default: '100000' },
      calls: { type: 'string', default: '10000000' },
      rounds: { type: 'string', default: '10' },
    },
  });
  const rounds = Number(values.rounds);
  const generator = commands(await build(process.env)).rust;
  const app = await AppProcess.start(values.server);
  const samples = [];
  const total = { visits: 0, calls: 0 };
  try {
    const run = (args) => load(generator, app, args);
    for (let n = 1; n <= rounds; n++) {
      const done = await round(run, Number(values.visits) / rounds, Number(values.calls) / rounds);
      total.visits += done.visits;
      total.calls += done.calls;
      const memory = await app.ask(QUESTIONS.memory);
      samples.push(memory);
      console.log(
        `round ${n}: ${total.visits} visits, ${total.calls} calls; resident ${MB(memory.rss)} MB, ` +
          `heap ${MB(memory.heapUsed)} MB, external ${MB(memory.external)} MB`,
      );
    }
  } finally {
    await app.stop();
  }
  const what = grown(samples);
  console.log(what.length === 0 ? 'nothing grew' : `grew: ${what.join(', ')}`);
  process.exitCode = what.length === 0 ? 0 : 1;
}

if (require.main === module) {
  main();
}

module.exports = { grown };
