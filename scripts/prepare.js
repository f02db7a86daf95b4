'use strict';

// Makes a checkout ready to run: installs the packages that are missing and builds the addon when
// there is none or it is older than its Rust sources. Does nothing, quickly, when all is in place.
// As a program, it makes ready what `npm test` needs.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');
const { buildClient } = require('./build-client');
const release = require('./build-release');
const { ROOT, StepError, npmCommand, run } = require('./steps');

const MINIMUM_NODE = 20;
const RUST_HINT =
  'cargo was not found. The addon is built with Rust: install it with rustup, open a new shell, ' +
  'and run this again';

/**
 * Whether the packages a lockfile lists are installed beside it, in these versions.
 * @param {string} folder - holds package-lock.json
 * @returns {boolean}
 */
function isInstalled(folder) {
  const wanted = readPackages(path.join(folder, 'package-lock.json'));
  const installed = readPackages(path.join(folder, 'node_modules', '.package-lock.json'));
  return Object.entries(wanted ?? {}).every(([place, { version, optional }]) => {
    if (!place.startsWith('node_modules/') || optional) return true;
    return installed?.[place] !== undefined && installed[place].version === version;
  });
}

/**
 * @param {string} lockfile
 * @returns {Record<string, { version?: string, optional?: boolean }> | undefined} by place
 */
function readPackages(lockfile) {
  try {
    return JSON.parse(fs.readFileSync(lockfile, 'utf8')).packages;
  } catch (err) {
    if (err.code === 'ENOENT') return undefined;
    throw err;
  }
}

/**
 * @param {string} lock - a file with the id of a process
 * @returns {boolean} whether that process has ended
 */
function isStale(lock) {
  try {
    process.kill(Number(fs.readFileSync(lock, 'utf8')), 0);
    return false;
  } catch (err) {
    return err.code === 'ESRCH';
  }
}

/**
 * Does something in a folder while no other process does: two test files may need the same packages.
 * @param {string} folder
 * @param {() => Promise<void>} action
 * @returns {Promise<void>}
 */
async function exclusively(folder, action) {
  const lock = path.join(os.tmpdir(), `loopback-socket-${folder.replaceAll(/\W/g, '-')}.lock`);
  for (;;) {
    try {
      fs.writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (err) {
      if (err.code !== 'EEXIST') throw err;
      if (isStale(lock)) fs.rmSync(lock, { force: true });
      else await delay(100);
    }
  }
  try {
    await action();
  } finally {
    fs.rmSync(lock, { force: true });
  }
}

/**
 * Installs what a folder's lockfile lists, unless it is there.
 * @param {string} title
 * @param {string} folder
 * @returns {Promise<void>}
 */
async function install(title, folder) {
  if (isInstalled(folder)) return;
  await exclusively(folder, async () => {
    if (isInstalled(folder)) return;
    const npm = npmCommand('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
    await run(title, npm.command, npm.args, { cwd: folder });
  });
}

/**
 * When the newest of these files was changed.
 * @param {string[]} files - paths
 * @returns {number} in ms; -Infinity when there are none
 */
function newest(files) {
  return Math.max(-Infinity, ...files.map((file) => fs.statSync(file).mtimeMs));
}

/**
 * @param {string[]} built files
 * @returns {boolean} whether none of them is missing or older than what the addon is built from
 */
function isCurrent(built) {
  const sources = fs
    .readdirSync(path.join(ROOT, 'src'), { recursive: true })
    .filter((name) => name.endsWith('.rs'))
    .map((name) => path.join(ROOT, 'src', name));
  const manifests = ['Cargo.toml', 'Cargo.lock', 'build.rs'].map((name) => path.join(ROOT, name));
  if (!built.every((file) => fs.existsSync(file))) return false;
  return (
    Math.min(...built.map((file) => fs.statSync(file).mtimeMs)) > newest([...sources, ...manifests])
  );
}

/** @returns {boolean} whether there is an addon, no older than what it is built from */
function isBuilt() {
  const addons = fs.readdirSync(ROOT).filter((name) => name.endsWith('.node'));
  if (addons.length === 0 || !fs.existsSync(path.join(ROOT, 'binding.js'))) return false;
  const times = addons.map((name) => fs.statSync(path.join(ROOT, name)).mtimeMs);
  return isCurrent([path.join(ROOT, addons[times.indexOf(Math.max(...times))])]);
}

/**
 * Builds the addon, optimised, unless it is there.
 * @param {boolean} published - as it is published, into its package too
 * @returns {Promise<void>}
 */
async function build(published) {
  if (isBuilt() && !published) return;
  await run('Looking for Rust', 'cargo', ['--version'], { hint: RUST_HINT });
  if (published) {
    const target = release.parseTarget(release.hostTarget());
    if (!isBuilt() || !isCurrent([path.join(ROOT, target.file)])) await release.build(target);
    return;
  }
  const npm = npmCommand('npm', ['run', 'build']);
  await run('Building the addon from its Rust sources (takes minutes)', npm.command, npm.args);
}

/** The folders with programs for LoopBack 4, in the order in which they are built. */
const LOOPBACK4 = ['packages/loopback4', 'examples/loopback4'];

/**
 * Compiles the TypeScript of a folder, unless what was compiled is newer.
 * @param {string} folder - from the top
 * @returns {Promise<void>}
 */
async function compile(folder) {
  const top = path.join(ROOT, folder);
  const files = (name, suffix) =>
    fs.existsSync(path.join(top, name))
      ? fs
          .readdirSync(path.join(top, name), { recursive: true })
          .filter((file) => file.endsWith(suffix))
          .map((file) => path.join(top, name, file))
      : [];
  const types = fs
    .readdirSync(path.join(ROOT, 'types'))
    .map((file) => path.join(ROOT, 'types', file));
  const compiled = files('dist', '.js');
  const oldest = Math.min(...compiled.map((file) => fs.statSync(file).mtimeMs));
  const declared = folder === LOOPBACK4[0] ? [] : [path.join(ROOT, LOOPBACK4[0], 'src/index.ts')];
  if (compiled.length > 0 && oldest > newest([...files('src', '.ts'), ...types, ...declared]))
    return;
  fs.rmSync(path.join(top, 'dist'), { recursive: true, force: true });
  const compiler = path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  await run(`Compiling ${folder}`, process.execPath, [compiler, '-p', top]);
}

/**
 * Makes the checkout ready.
 * @param {object} [options]
 * @param {boolean} [options.example] - the example app for LoopBack 3 too
 * @param {boolean} [options.published] - the addon as it is published
 * @param {boolean} [options.loopback4] - the package and the example app for LoopBack 4 too
 * @returns {Promise<void>}
 * @throws {StepError} saying what is missing on this machine
 */
async function prepare({ example = true, loopback4 = false, published = false } = {}) {
  if (Number(process.versions.node.split('.')[0]) < MINIMUM_NODE) {
    throw new StepError('Node.js', `${process.version} is too old: use ${MINIMUM_NODE} or later`);
  }
  await install('Installing the development packages (npm ci)', ROOT);
  buildClient();
  // The compiler of Rust uses every processor only some of the time.
  const results = await Promise.allSettled([
    build(published),
    example && install('Installing the example app', path.join(ROOT, 'examples', 'loopback3')),
    loopback4 && prepareLoopback4(),
  ]);
  const failed = results.find(({ status }) => status === 'rejected');
  if (failed) throw failed.reason;
}

/** @returns {Promise<void>} when the programs for LoopBack 4 are installed and compiled */
async function prepareLoopback4() {
  for (const folder of LOOPBACK4) {
    await install(`Installing the packages of ${folder}`, path.join(ROOT, folder));
    await compile(folder);
  }
}

if (require.main === module) {
  prepare({ loopback4: true, published: true }).catch((err) => {
    console.error('\n%s', err.message);
    process.exitCode = 1;
  });
}

module.exports = { LOOPBACK4, compile, install, isCurrent, prepare };
