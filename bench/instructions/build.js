'use strict';

// Builds the program whose cases are counted.

const { run } = require('../../scripts/steps');

const CARGO_ARGS = [
  'bench',
  '--no-run',
  '--bench=instructions',
  '--features=instructions',
  '--message-format=json-render-diagnostics',
];

/**
 * Builds the program.
 * @returns {Promise<string>} its path
 */
async function build() {
  const { stdout } = await run('Building what is counted', 'cargo', CARGO_ARGS, {
    hint: 'cargo was not found: install Rust with rustup',
  });
  const messages = stdout.split('\n').filter((line) => line.startsWith('{'));
  const executables = messages.map((line) => JSON.parse(line).executable).filter(Boolean);
  if (executables.length === 0) throw new Error('cargo built no program');
  return executables.at(-1);
}

/**
 * What counts depend on beside the sources: two compilers make two programs.
 * @returns {Promise<{ rustc: string, host: string }>}
 */
async function toolchain() {
  const { stdout } = await run('Asking for the version of Rust', 'rustc', ['-vV']);
  const field = (name) => new RegExp(`^${name}: (.*)$`, 'm').exec(stdout)?.[1] ?? 'unknown';
  return { rustc: field('release'), host: field('host') };
}

module.exports = { build, toolchain };
