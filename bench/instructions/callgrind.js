'use strict';

// Counts instructions and allocations: valgrind's callgrind runs a case and counts what is executed
// inside the one function that says so, `counted_region` in cases/mod.rs. How often memory was asked
// for meanwhile is what the program prints.

const { execFile } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { promisify } = require('node:util');

const execute = promisify(execFile);

/** A case takes a second or two; one that hangs fails. */
const TIMEOUT = 120_000;

/**
 * The C library chooses how to copy by what the processor has; two machines that choose
 * differently count differently. So that every x86-64 has the same, it is told to do with what
 * all of them have. (It goes by older and newer names.)
 */
const PLAIN_PROCESSOR = [
  'AVX2',
  'AVX2_Usable',
  'AVX_Fast_Unaligned_Load',
  'AVX512F',
  'AVX512VL',
  'ERMS',
  'FSRM',
]
  .map((feature) => `-${feature}`)
  .join(',');

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {number} operations - what is counted is divided by this
 */

/**
 * @typedef {object} Counts - of one operation
 * @property {number} instructions
 * @property {number} allocations
 */

/**
 * @param {string} program
 * @returns {Promise<Case[]>} in the program's order
 */
async function listCases(program) {
  const { stdout } = await execute(program);
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
    .map(([name, operations]) => ({ name, operations: Number(operations) }));
}

/**
 * Where callgrind's profile of a case is kept, for `callgrind_annotate`.
 * @param {string} program
 * @param {string} name - of the case
 * @returns {string}
 */
function profilePath(program, name) {
  const folder = path.join(path.dirname(program), '..', '..', 'instructions');
  return path.join(folder, `${name.replaceAll('/', '.')}.callgrind`);
}

/**
 * Counts one case.
 * @param {string} program
 * @param {Case} work
 * @returns {Promise<Counts>}
 */
async function countCase(program, { name, operations }) {
  const profile = profilePath(program, name);
  fs.mkdirSync(path.dirname(profile), { recursive: true });
  const args = [
    '--tool=callgrind',
    '--collect-atstart=no',
    '--toggle-collect=*counted_region*',
    `--callgrind-out-file=${profile}`,
    program,
    name,
  ];
  const env = { ...process.env, GLIBC_TUNABLES: `glibc.cpu.hwcaps=${PLAIN_PROCESSOR}` };
  let allocations;
  try {
    const { stdout } = await execute('valgrind', args, { env, timeout: TIMEOUT });
    allocations = Number(stdout);
  } catch (err) {
    if (err.code === 'ENOENT') {
      throw new Error('valgrind was not found: install it, as with `apt-get install valgrind`');
    }
    const reason = err.killed ? 'it took too long' : err.stderr || err.message;
    throw new Error(`${name} did not run: ${reason}`);
  }
  const text = fs.readFileSync(profile, 'utf8');
  const instructions = Number(/^(?:summary|totals): (\d+)/m.exec(text)?.[1] ?? 0);
  if (instructions === 0) throw new Error(`${name}: nothing was counted`);
  return {
    instructions: Math.round(instructions / operations),
    allocations: Math.round((allocations * 100) / operations) / 100,
  };
}

/**
 * Counts cases, as many at a time as there are processors: they do not disturb each other.
 * @param {string} program
 * @param {Case[]} cases
 * @returns {Promise<Record<string, Counts>>} by name
 */
async function countCases(program, cases) {
  const counts = Object.fromEntries(cases.map(({ name }) => [name, undefined]));
  const left = [...cases];
  const work = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      counts[next.name] = await countCase(program, next);
    }
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, work));
  return counts;
}

module.exports = { countCases, listCases, profilePath };
