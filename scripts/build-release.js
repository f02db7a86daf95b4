'use strict';

// `npm run build:release -- [target ...]`: builds the addon as it is published, into its package
// under npm/. Binaries for Linux are linked by zig, with the C library of the target in its oldest
// version that we support, so that any machine builds any of them. Those for macOS and Windows need
// the linker of that system. Without targets, builds the one for this machine.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { napi } = require('../package.json');
const { ROOT, StepError, npmCommand, run } = require('./steps');

/** The oldest glibc that the binaries load with: that of every distribution on which Node 20 runs. */
const GLIBC = '2.17';

/** Where zig is installed. */
const TOOLS = path.join(ROOT, 'target', 'release-tools');

/** Rust's names of operating systems and processors, as Node has them. */
const SYSTEMS = { linux: 'linux', darwin: 'darwin', windows: 'win32' };
const CPUS = { x86_64: 'x64', aarch64: 'arm64' };

/**
 * @typedef {object} Target
 * @property {string} triple Rust's name
 * @property {string} system as `process.platform` has it
 * @property {string} platform the folder under npm/
 * @property {string} file the binary, from the top
 */

/**
 * @param {string} triple Rust's name of a target, such as `aarch64-unknown-linux-musl`
 * @returns {Target}
 */
function parseTarget(triple) {
  if (!napi.targets.includes(triple)) {
    throw new StepError(triple, `no such target; there are ${napi.targets.join(', ')}`);
  }
  const [cpu, , os, abi] = triple.split('-');
  const system = SYSTEMS[os];
  const platform = [system, CPUS[cpu], abi].filter(Boolean).join('-');
  const file = path.join('npm', platform, `${napi.binaryName}.${platform}.node`);
  return { triple, system, platform, file };
}

/** @returns {string} the target of this machine */
function hostTarget() {
  const described = execFileSync('rustc', ['-vV'], { encoding: 'utf8' });
  return described.match(/^host: (.*)$/m)[1];
}

/**
 * Has rustup install the standard library of a target. Where Rust is not rustup's, cargo says what
 * is missing.
 * @param {string} triple
 * @returns {Promise<void>}
 */
async function addTarget(triple) {
  const sysroot = execFileSync('rustc', ['--print', 'sysroot'], { encoding: 'utf8' }).trim();
  if (fs.existsSync(path.join(sysroot, 'lib', 'rustlib', triple, 'lib'))) return;
  await run(`Installing Rust's library for ${triple}`, 'rustup', ['target', 'add', triple], {
    hint: `Rust's standard library for ${triple} is missing, and there is no rustup to install it`,
  });
}

/**
 * Installs zig and cargo-zigbuild, in the versions that scripts/release-tools.txt has.
 * @returns {Promise<string>} the folder with the programs
 */
async function installZig() {
  const list = path.join(__dirname, 'release-tools.txt');
  const bin = path.join(TOOLS, process.platform === 'win32' ? 'Scripts' : 'bin');
  const installed = path.join(TOOLS, 'release-tools.txt');
  const wanted = fs.readFileSync(list, 'utf8');
  if (fs.existsSync(installed) && fs.readFileSync(installed, 'utf8') === wanted) return bin;
  const python = process.platform === 'win32' ? 'python' : 'python3';
  await run('Installing zig', python, ['-m', 'venv', TOOLS], {
    hint: 'python3 was not found, which installs zig from PyPI',
  });
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', list];
  await run('Installing zig', path.join(bin, 'python'), pip);
  fs.copyFileSync(list, installed);
  return bin;
}

/**
 * The newest version of glibc that a binary asks for.
 * @param {string} file
 * @returns {string|undefined} such as `2.17`; undefined if it asks for none
 */
function newestGlibc(file) {
  const text = fs.readFileSync(file, 'latin1');
  const versions = [...text.matchAll(/\0GLIBC_(\d+)\.(\d+)(?:\.\d+)?(?=\0)/g)];
  const newest = Math.max(
    ...versions.map(([, major, minor]) => Number(major) * 1000 + Number(minor)),
  );
  return versions.length === 0 ? undefined : `${Math.floor(newest / 1000)}.${newest % 1000}`;
}

/**
 * Fails if a binary for Linux asks for a newer C library than we support.
 * @param {string} triple
 * @param {string} file
 */
function checkGlibc(triple, file) {
  const glibc = newestGlibc(file);
  if (glibc === undefined) return;
  const minor = (version) => Number(version.split('.')[1]);
  if (triple.endsWith('-musl') || minor(glibc) > minor(GLIBC)) {
    throw new StepError(triple, `${file} asks for glibc ${glibc}`);
  }
}

/**
 * Builds one target, into its package and, if it is that of this machine, also into the top folder,
 * where a checkout loads the addon from. What is built quickly goes to neither of them.
 * @param {Target} target
 * @param {object} [options]
 * @param {boolean} [options.debug] - quickly and not as it is published, for tests
 * @returns {Promise<string>} the binary
 */
async function build({ triple, system, platform, file }, { debug = false } = {}) {
  if (system !== 'linux' && system !== process.platform) {
    throw new StepError(triple, `only ${system} has the linker for it: build it there`);
  }
  await addTarget(triple);
  const output = path.join(ROOT, 'target', debug ? 'debug-build' : 'release-build', platform);
  const napiBuild = ['napi', 'build', '--platform', '--output-dir', output];
  napiBuild.push('--js', 'binding.js', '--dts', 'binding.d.ts');
  if (!debug) napiBuild.push('--release');
  let env = process.env;
  if (system === 'linux') {
    const bin = await installZig();
    env = { ...env, PATH: `${bin}${path.delimiter}${env.PATH}` };
    const name = triple.endsWith('-gnu') ? `${triple}.${GLIBC}` : triple;
    napiBuild.push('--cross-compile', '--target', name);
  } else {
    napiBuild.push('--target', triple);
  }
  const { command, args } = npmCommand('npx', [...napiBuild, '--', '--locked']);
  await run(`Building ${triple}`, command, args, { env });
  const built = path.join(output, path.basename(file));
  if (system === 'linux') checkGlibc(triple, built);
  if (debug) return built;
  fs.copyFileSync(built, path.join(ROOT, file));
  const licenses = path.join('npm', platform, 'THIRD_PARTY_LICENSES');
  fs.copyFileSync(path.join(ROOT, 'THIRD_PARTY_LICENSES'), path.join(ROOT, licenses));
  if (triple === hostTarget()) {
    for (const name of [path.basename(file), 'binding.js', 'binding.d.ts']) {
      fs.rmSync(path.join(ROOT, name), { force: true }); // A process may have the old one open.
      fs.copyFileSync(path.join(output, name), path.join(ROOT, name));
    }
  }
  console.log('%s: %d KB', file, Math.round(fs.statSync(built).size / 1000));
  return path.join(ROOT, file);
}

/**
 * @param {string[]} args the targets, the one of this machine when there is none; `--debug`
 * @returns {Promise<void>}
 */
async function main(args) {
  const triples = args.filter((arg) => !arg.startsWith('--'));
  const targets = (triples.length > 0 ? triples : [hostTarget()]).map(parseTarget);
  for (const target of targets) await build(target, { debug: args.includes('--debug') });
}

if (require.main === module) {
  main(process.argv.slice(2)).catch((err) => {
    console.error('\n%s', err.message);
    process.exitCode = 1;
  });
}

module.exports = { GLIBC, addTarget, build, hostTarget, installZig, newestGlibc, parseTarget };
