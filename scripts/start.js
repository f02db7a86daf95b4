'use strict';

// `npm start`: makes the checkout ready, then opens the LoopBack 3 example and shows a visit to it.
// `npm start -- --once` ends after the visit, with exit code 0 if all went as it should.

const { spawn } = require('node:child_process');
const path = require('node:path');
const { prepare } = require('./prepare');
const { ROOT } = require('./steps');

/**
 * Runs the walk-through of the example, its output on ours.
 * @param {string[]} args - of `npm start`
 */
function walkThrough(args) {
  const example = path.join(ROOT, 'examples', 'loopback3');
  const child = spawn(process.execPath, ['--no-deprecation', 'walkthrough.js', ...args], {
    cwd: example,
    stdio: 'inherit',
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  child.once('exit', (status) => {
    process.exitCode = status ?? 1;
  });
}

prepare().then(
  () => walkThrough(process.argv.slice(2)),
  (err) => {
    console.error('\n%s', err.message);
    process.exitCode = 1;
  },
);
