'use strict';

// `npm run fuzz`: looks for inputs that break what must stay true for each of them (fuzz/README.md).
//
//   npm run fuzz -- [--seconds N] [--sanitizer none|address|…] [--grow] [target …]
//
// Each target runs for N seconds, 60 by default, on a stable toolchain. A sanitizer needs nightly. With
// --grow, inputs that reach new code are kept in the corpus; merge it with `cargo fuzz cmin` after.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { ROOT, run } = require('./steps');

const CORPUS = path.join(ROOT, 'fuzz', 'corpus');
const CARGO_FUZZ = '0.13.2';
/** The largest input, in bytes: what targets look for needs no more, and small inputs are fast. */
const MAX_LENGTH = 2048;

/** @returns {Promise<void>} when the command `cargo fuzz` is there */
async function installCargoFuzz() {
  if (spawnSync('cargo', ['fuzz', '--version']).status === 0) return;
  // It only starts cargo and what cargo built, so that its own speed does not matter.
  const args = ['install', '--debug', '--locked', 'cargo-fuzz', '--version', CARGO_FUZZ];
  await run('Installing cargo-fuzz (takes minutes)', 'cargo', args);
}

/**
 * @param {string} target - its name
 * @param {{ seconds: string, sanitizer: string, grow: boolean }} options
 * @returns {Promise<void>} when its time is over
 * @throws {import('./steps').StepError} with the input that breaks it
 */
async function fuzz(target, { seconds, sanitizer, grow }) {
  const found = fs.mkdtempSync(path.join(os.tmpdir(), 'loopback-socket-fuzz-'));
  try {
    const corpus = path.join(CORPUS, target);
    const corpora = grow ? [corpus] : [found, corpus];
    const limits = [`-max_total_time=${seconds}`, `-max_len=${MAX_LENGTH}`];
    const args = ['fuzz', 'run', '--sanitizer', sanitizer, target, ...corpora, '--', ...limits];
    const { stderr } = await run(`Fuzzing ${target}`, 'cargo', args);
    console.log('    %s', /^Done \d+ runs/m.exec(stderr)?.[0] ?? 'no runs');
  } finally {
    fs.rmSync(found, { recursive: true, force: true });
  }
}

/** Runs the targets one after the other. */
async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '60' },
      sanitizer: { type: 'string', default: 'none' },
      grow: { type: 'boolean', default: false },
    },
  });
  await installCargoFuzz();
  const only = positionals.length === 1 ? positionals : [];
  const build = ['fuzz', 'build', '--sanitizer', values.sanitizer, ...only];
  await run('Building the fuzz targets', 'cargo', build);
  for (const target of positionals.length > 0 ? positionals : fs.readdirSync(CORPUS).sort()) {
    await fuzz(target, values);
  }
}

main().catch((err) => {
  console.error('\n%s', err.message);
  process.exitCode = 1;
});
