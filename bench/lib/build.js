'use strict';

// Makes what is measured, and what measures: release builds of the sources as they are. Cargo does
// nothing where nothing has changed.
//
// BENCH_PACKAGE names the folder of a built package to be measured in place of this one, and
// BENCH_LOADGEN a built load generator.

const fs = require('node:fs');
const path = require('node:path');
const { prepare } = require('../../scripts/prepare');
const { StepError, npmCommand, run } = require('../../scripts/steps');

const LOADGEN = path.join(__dirname, '..', 'loadgen');

/** @returns {Promise<void>} */
async function buildPackage() {
  await prepare({ example: false });
  const npm = npmCommand('npm', ['run', 'build']);
  await run('Building the addon (release)', npm.command, npm.args);
}

/** @returns {Promise<string>} the load generator */
async function buildLoadGenerator() {
  const target = path.join(LOADGEN, 'target');
  const manifest = path.join(LOADGEN, 'Cargo.toml');
  const args = ['build', '--release', '--locked', '--manifest-path', manifest];
  await run('Building the load generator', 'cargo', [...args, '--target-dir', target]);
  return path.join(target, 'release', 'sioload');
}

/**
 * Builds whatever is to be built.
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<string>} the load generator
 * @throws {StepError} where this cannot be done
 */
async function build({ BENCH_PACKAGE, BENCH_LOADGEN }) {
  if (process.platform !== 'linux') {
    throw new StepError('The bench', 'runs on Linux only: it reads CPU time and memory from /proc');
  }
  for (const given of [BENCH_PACKAGE, BENCH_LOADGEN]) {
    if (given && !fs.existsSync(given)) throw new StepError(given, 'does not exist');
  }
  if (!BENCH_PACKAGE) await buildPackage();
  return BENCH_LOADGEN ?? buildLoadGenerator();
}

module.exports = { build };
