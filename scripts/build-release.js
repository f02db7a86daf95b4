'use strict';

// `npm run build:release -- [target ...]`: builds the addon as it is published, into its package
// under npm/. Binaries for Linux are linked by zig, with the C library of the target in its oldest
// version that we support, so that any machine builds any of them. Those for macOS and Windows need
// the linker of that system. Without targets, builds the one for this machine.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { napi } = require('../package.json');
const { ROOT, StepError, run } = require('./steps');

/** The oldest glibc that the binaries load with: that of every distribution on which Node 20 runs. */
const GLIBC = '2.17';

/** Where zig is installed. */
const TOOLS = path.join(ROOT, 'target', 'release-tools');

/** Rust's names of operating systems and processors, as Node has them. */
const SYSTEMS = { linux: 'linux', darwin: 'darwin', windows: 'win32' };
const CPUS = { x86_64: 'x64', aarch64: 'arm64' };

/** The library that cargo builds, by operating system. */
const LIBRARIES = {
  linux: 'libloopback_socket.so',
  darwin: 'libloopback_socket.dylib',
  win32: 'loopback_socket.dll',
};

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
 * Builds one target.
 * @param {Target} target
 * @returns {Promise<void>}
 */
async function build({ triple, system, platform, file }) {
  if (system !== 'linux' && system !== process.platform) {
    throw new StepError(triple, `only ${system} has the linker for it: build it there`);
  }
  await addTarget(triple);
  const title = `Building ${triple}`;
  const args = ['--release', '--lib', '--locked'];
  if (system === 'linux') {
    const bin = await installZig();
    const env = { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH}` };
    const name = triple.endsWith('-gnu') ? `${triple}.${GLIBC}` : triple;
    const zigbuild = path.join(bin, 'cargo-zigbuild');
    await run(title, zigbuild, ['zigbuild', ...args, '--target', name], { env });
  } else {
    await run(title, 'cargo', ['build', ...args, '--target', triple]);
  }
  const targets = process.env.CARGO_TARGET_DIR ?? path.join(ROOT, 'target');
  fs.copyFileSync(path.join(targets, triple, 'release', LIBRARIES[system]), path.join(ROOT, file));
  const licenses = path.join('npm', platform, 'THIRD_PARTY_LICENSES');
  fs.copyFileSync(path.join(ROOT, 'THIRD_PARTY_LICENSES'), path.join(ROOT, licenses));
  const { size } = fs.statSync(path.join(ROOT, file));
  const glibc = newestGlibc(path.join(ROOT, file));
  if (system === 'linux' && glibc !== undefined) {
    const isNewer =
      triple.endsWith('-musl') || Number(glibc.split('.')[1]) > Number(GLIBC.split('.')[1]);
    if (isNewer) throw new StepError(title, `${file} asks for glibc ${glibc}`);
  }
  const needs = glibc === undefined ? '' : `, needs glibc ${glibc}`;
  console.log('%s: %d KB%s', file, Math.round(size / 1000), needs);
}

/**
 * @param {string[]} triples the targets; the one of this machine when empty
 * @returns {Promise<void>}
 */
async function main(triples) {
  const targets = (triples.length > 0 ? triples : [hostTarget()]).map(parseTarget);
  for (const target of targets) await build(target);
}

if (require.main === module) {
  main(process.argv.slice(2)).catch((err) => {
    console.error('\n%s', err.message);
    process.exitCode = 1;
  });
}

module.exports = { GLIBC, build, hostTarget, newestGlibc, parseTarget };
