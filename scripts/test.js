'use strict';

// `npm test`: makes the checkout ready, then runs every test: cargo's, node's, those of the types,
// those of HTTP and Engine.IO once more with Node's http.Server in front of every request, and one
// mixture of nodes for each adapter of `npm run test:scale`. Ends with what failed, and the totals in
// one line. Arguments name the node test files to run alone.

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { LOOPBACK4, prepare } = require('./prepare');
const { ROOT, run } = require('./steps');

/** A file counts as one test to node; the longest takes a minute on two processors. */
const FILE_TIMEOUT = 6 * 60_000;

/** How many files run at the same time: what they measure is their own only while each has a processor. */
const CONCURRENCY = Math.max(2, os.availableParallelism() - 1);

/** The files that take longest, which begin first so that none of them is left to run alone at the end. */
const LONGEST = [
  'compatibility/side-by-side.test.js',
  'engineio/wire-fuzz.test.js',
  'package/types/types.test.js',
  'playground/clients.test.js',
  'playground/appearance.test.js',
  'package/bench.test.js',
  'package/tarballs.test.js',
  'examples/testing-page.test.js',
  'loopback3/arguments.test.js',
  'loopback3/changes.test.js',
  'native/event-loop.test.js',
  'package/start.test.js',
].map((name) => path.join('__test__', name));

/** What Node's report has before the tests that failed. */
const FAILING = '\n✖ failing tests:\n';

/** Preloaded, it has Node's http.Server serve every request of the native server. */
const NODE_FRONT = path.join(ROOT, '__test__', 'support', 'node-front.js');

/** The folders whose tests are run on both fronts. */
const BOTH_FRONTS = ['engineio', 'http'].map((name) => path.join('__test__', name) + path.sep);

/** Those of them that choose the front themselves, have TLS in Rust, or whose requests are all upgrades. */
const ONE_FRONT = /(wire-fuzz|takeover|tls|handover|engineio.compression)\.test\.js$/;

/**
 * @typedef {object} Totals
 * @property {number} passed
 * @property {number} failed
 * @property {string} [failures] what the runner wrote about those that failed
 */

/**
 * Adds up what a pattern finds.
 * @param {string} text
 * @param {RegExp} pattern - global, its first group a number
 * @returns {number}
 */
function sum(text, pattern) {
  return [...text.matchAll(pattern)].reduce((total, match) => total + Number(match[1]), 0);
}

/**
 * The last number a pattern finds.
 * @param {string} text
 * @param {RegExp} pattern - global, its first group a number
 * @returns {number} 0 if there is none
 */
function last(text, pattern) {
  return Number([...text.matchAll(pattern)].at(-1)?.[1] ?? 0);
}

/**
 * A runner that failed without counting a failure has failed one test all the same.
 * @param {Totals} totals
 * @param {number} status - its exit code
 * @returns {Totals}
 */
function withStatus(totals, status) {
  if (status === 0) return totals;
  return { ...totals, failed: Math.max(1, totals.failed) };
}

/** @returns {Promise<Totals>} of the unit and property tests in Rust */
async function testRust() {
  const args = ['test', '--no-fail-fast'];
  const { stdout, stderr, status } = await run('cargo test', 'cargo', args, { accept: () => true });
  const totals = {
    passed: sum(stdout, /^test result: .*? (\d+) passed/gm),
    failed: sum(stdout, /^test result: .*? (\d+) failed/gm),
  };
  console.log('    %d of %d tests', totals.passed, totals.passed + totals.failed);
  if (status !== 0) totals.failures = stdout.slice(stdout.indexOf('\nfailures:') + 1) || stderr;
  return withStatus(totals, status);
}

/**
 * The test files of __test__ and those of the programs for LoopBack 4, in the order of their names
 * after the longest.
 * @returns {string[]}
 */
function testFiles() {
  const compiled = LOOPBACK4.map((folder) => path.join(folder, 'dist', '__tests__'));
  const files = ['__test__', ...compiled].flatMap((folder) =>
    fs
      .readdirSync(path.join(ROOT, folder), { recursive: true })
      .filter((name) => name.endsWith('.test.js') && !name.includes('node_modules'))
      .map((name) => path.join(folder, name))
      .sort(),
  );
  const longest = LONGEST.filter((name) => files.includes(name));
  return [...longest, ...files.filter((name) => !longest.includes(name))];
}

/**
 * Runs these files with node's runner, its report on our output as it comes.
 * @param {string[]} files
 * @param {NodeJS.ProcessEnv} [env] - more of the environment
 * @returns {Promise<Totals>}
 */
function testNode(files, env) {
  const options = [`--test-timeout=${FILE_TIMEOUT}`, `--test-concurrency=${CONCURRENCY}`];
  const args = ['--test', '--test-reporter=spec', ...options, ...files];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { ...process.env, FORCE_COLOR: '0', ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let report = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      report += text;
      process.stdout.write(text);
    });
    child.once('error', reject);
    child.once('close', (status) => {
      const totals = {
        passed: last(report, /^ℹ pass (\d+)$/gm),
        failed: last(report, /^ℹ fail (\d+)$/gm) + last(report, /^ℹ cancelled (\d+)$/gm),
      };
      const at = report.lastIndexOf(FAILING);
      if (at >= 0) totals.failures = report.slice(at + FAILING.length).trim();
      resolve(withStatus(totals, status ?? 1));
    });
  });
}

/**
 * Runs the tests of HTTP and Engine.IO with Node's http.Server in front of every request.
 * @returns {Promise<Totals>}
 */
function testNodeFront() {
  const isChosen = (file) =>
    BOTH_FRONTS.some((folder) => file.startsWith(folder)) && !ONE_FRONT.test(file);
  console.log("==> tests of HTTP and Engine.IO on Node's http.Server");
  return testNode(testFiles().filter(isChosen), { NODE_OPTIONS: `--require=${NODE_FRONT}` });
}

/**
 * Runs clusters of several processes, alone on the machine, since they wait for each other.
 * @returns {Promise<Totals>}
 */
async function testScale() {
  const args = [path.join('__test__', 'scale', 'run.js')];
  const title = 'clusters with each adapter';
  const { stdout, stderr, status } = await run(title, process.execPath, args, {
    accept: () => true,
  });
  if (status === 0) process.stdout.write(stdout);
  const totals = {
    passed: last(stdout, /^(\d+) passed, \d+ failed$/gm),
    failed: last(stdout, /^\d+ passed, (\d+) failed$/gm),
  };
  if (status !== 0) totals.failures = stdout + stderr;
  return withStatus(totals, status);
}

/**
 * @param {string[]} only - node test files; all tests when empty
 * @returns {Promise<void>}
 */
async function main(only) {
  const loopback4 = only.length === 0 || only.some((name) => name.includes('loopback4'));
  await prepare({ loopback4, published: only.length === 0 });
  const results = only.length > 0 ? [] : [await testRust()];
  results.push(await testNode(only.length > 0 ? only : testFiles()));
  if (only.length === 0) results.push(await testNodeFront(), await testScale());
  const passed = results.reduce((total, result) => total + result.passed, 0);
  const failed = results.reduce((total, result) => total + result.failed, 0);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
  const failures = results.map((result) => result.failures).filter(Boolean);
  if (failures.length > 0) console.log('\n==> what failed\n\n%s', failures.join('\n\n'));
  console.log('\n%d passed, %d failed', passed, failed);
}

main(process.argv.slice(2)).catch((err) => {
  console.error('\n%s', err.message);
  console.log('\n0 passed, 1 failed');
  process.exitCode = 1;
});
