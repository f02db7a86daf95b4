'use strict';

/**
 * Why the addon cannot be loaded, found out after it could not: which package should have it, whether
 * that is installed, and what the system said when it was opened.
 */

const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');
const { MissingAddonError, UnloadableAddonError } = require('../errors');
const { elfFault } = require('./elf');

const BINARY = 'loopback-socket';

/** The platforms for which there is a package with a binary. */
const PLATFORMS = [
  'darwin-arm64',
  'darwin-x64',
  'linux-arm64-gnu',
  'linux-arm64-musl',
  'linux-x64-gnu',
  'linux-x64-musl',
  'win32-x64-msvc',
];

const REINSTALL =
  'The binary is damaged, or was built for another kind of machine. Remove node_modules and install ' +
  'the packages again, on the system that the app runs on.';

/** Whether a bundler has put this file into another one, away from the addon. */
const IS_BUNDLED = !__filename.endsWith(path.join('lib', 'native', 'addon-failure.js'));

/** Not `require`: bundlers would look for what it is called with. */
const resolveFrom = createRequire(__filename);

/**
 * @typedef {object} System what decides which binary is the right one
 * @property {string} os as `process.platform` has it
 * @property {string} cpu as `process.arch` has it
 * @property {'glibc'|'musl'} [libc] on Linux
 * @property {string} [libcVersion] the version of glibc
 */

/**
 * @returns {System} what this process runs on
 */
function currentSystem() {
  const system = { os: process.platform, cpu: process.arch };
  if (system.os !== 'linux') return system;
  const { glibcVersionRuntime } = report().header ?? {};
  if (glibcVersionRuntime !== undefined) {
    return { ...system, libc: 'glibc', libcVersion: glibcVersionRuntime };
  }
  return { ...system, libc: isMusl() ? 'musl' : 'glibc' };
}

/**
 * @returns {{ header?: { glibcVersionRuntime?: string } }} Node's report on this process, if it has one
 */
function report() {
  try {
    process.report.excludeNetwork = true;
    const made = process.report.getReport();
    return typeof made === 'string' ? JSON.parse(made) : made;
  } catch {
    return {}; // Some runtimes other than Node have no reports.
  }
}

/**
 * @returns {boolean} whether this system's C library is musl, as far as its files tell
 */
function isMusl() {
  try {
    return fs.readdirSync('/lib').some((name) => name.startsWith('ld-musl-'));
  } catch {
    return false;
  }
}

/**
 * @param {System} system
 * @returns {string} the end of the names of the binary and its package, such as `linux-x64-gnu`
 */
function suffixOf({ os, cpu, libc }) {
  const abi = { glibc: '-gnu', musl: '-musl' }[libc] ?? (os === 'win32' ? '-msvc' : '');
  return `${os}-${cpu}${abi}`;
}

/**
 * @param {System} system
 * @returns {string} the same for people, such as `linux x64 (glibc 2.31)`
 */
function describeSystem({ os, cpu, libc, libcVersion }) {
  const library = libc === undefined ? '' : ` (${[libc, libcVersion].filter(Boolean).join(' ')})`;
  return `${os} ${cpu}${library}`;
}

/**
 * @param {string} name of a file or a package
 * @returns {string|undefined} the file that `require(name)` would load, if there is one
 */
function find(name) {
  try {
    return resolveFrom.resolve(name);
  } catch (err) {
    // Under Node's permission model a file may be there and not be readable.
    return err.code === 'ERR_ACCESS_DENIED' ? (err.resource ?? name) : undefined;
  }
}

/**
 * The error for an addon that must not be loaded, since that would end the process.
 *
 * @returns {UnloadableAddonError|undefined}
 */
function addonFault() {
  if (process.platform !== 'linux') return undefined;
  const found = ['glibc', 'musl']
    .map((libc) => fileFor(suffixOf({ os: process.platform, cpu: process.arch, libc })))
    .filter((file) => file !== undefined);
  // Of several, only the generated loader knows which one it loads.
  const [file, other] = new Set(found);
  if (file === undefined || other !== undefined) return undefined;
  const fault = elfFault(file, process.arch);
  if (fault === undefined) return undefined;
  return new UnloadableAddonError(describeSystem(currentSystem()), file, fault, REINSTALL);
}

/**
 * @param {string} suffix of the binary, as `suffixOf` gives it
 * @returns {string|undefined} the binary that is loaded, if there is one
 */
function fileFor(suffix) {
  const local = path.join(__dirname, '..', '..', `${BINARY}.${suffix}.node`);
  return process.env.NAPI_RS_NATIVE_LIBRARY_PATH || find(local) || find(`${BINARY}-${suffix}`);
}

/**
 * What the system says when it opens the binary.
 *
 * @param {string} file
 * @param {unknown} cause what the generated loader threw, if the binary opens after all
 * @returns {Error}
 */
function reasonOf(file, cause) {
  try {
    resolveFrom(file);
  } catch (err) {
    return err;
  }
  return cause instanceof Error ? cause : new Error(String(cause));
}

/**
 * What to do about a binary that does not load.
 *
 * @param {{ code?: string, message: string }} reason what the system said
 * @param {System} system
 * @param {string} packageName of the package with the binary
 * @returns {string} a sentence or several
 */
function remedyFor({ code, message }, system, packageName) {
  const version = /version [`'"]?GLIBC_([\d.]+)['"]? not found/.exec(message)?.[1];
  if (version !== undefined) {
    return (
      `The binary needs glibc ${version} or newer, and this system has ` +
      `${system.libcVersion ? `glibc ${system.libcVersion}` : 'an older one'}. A binary that was built on this ` +
      'or an older system loads here: install the published package again, or build the addon with ' +
      '`npm run build:release` in a checkout.'
    );
  }
  if (code === 'ERR_DLOPEN_DISABLED') {
    return (
      'Node was started with --permission and without --allow-addons, or with --no-addons. Start it with ' +
      '--allow-addons as well, or without --no-addons.'
    );
  }
  if (code === 'MODULE_NOT_FOUND') {
    return 'Let the environment variable NAPI_RS_NATIVE_LIBRARY_PATH name a binary, or unset it.';
  }
  if (code === 'ERR_ACCESS_DENIED') {
    return (
      'Node was started with --permission, which does not let it read the binary. Start it with ' +
      '--allow-addons and with --allow-fs-read for node_modules.'
    );
  }
  if (/permission denied|operation not permitted/i.test(message)) {
    return 'Let the user that runs Node read the file, on a file system that is not mounted noexec.';
  }
  if (/libc\.musl|libc\.so:|ld-musl|ld-linux|libc\.so\.6|symbol not found/i.test(message)) {
    return (
      'The binary is for another C library (glibc or musl) than this system has. Install the packages on the ' +
      'system that the app runs on: do not copy node_modules between Debian and Alpine images.'
    );
  }
  if (/cannot open shared object file|Error loading shared library/i.test(message)) {
    return 'Install the library that is missing.';
  }
  if (
    /invalid ELF header|wrong ELF class|file too short|cannot read file data|exec format|mach-o|incompatible architecture|not a valid Win32/i.test(
      message,
    )
  ) {
    return REINSTALL;
  }
  return `Remove node_modules and install the packages again; if that does not help, report it with this message (${packageName}).`;
}

/**
 * What to do about a binary that is not installed.
 *
 * @param {System} system
 * @param {string} packageName of the package with the binary
 * @returns {string} a sentence or several
 */
function adviceFor(system, packageName) {
  const suffix = suffixOf(system);
  if (IS_BUNDLED) {
    return (
      'The app has been bundled, without the addon. Leave loopback-socket out of the bundle, as an external ' +
      'package (`--external:loopback-socket` of esbuild, `externals` of webpack), and install it where the ' +
      'app runs.'
    );
  }
  if (!PLATFORMS.includes(suffix)) {
    return (
      `There is no package with a binary for this platform: there are ${PLATFORMS.join(', ')}. ` +
      'In a checkout, `npm run build` builds one with Rust.'
    );
  }
  const others = PLATFORMS.filter(
    (name) => name !== suffix && find(`${BINARY}-${name}/package.json`) !== undefined,
  );
  const copied =
    others.length === 0
      ? ''
      : ` What is installed is ${others.map((name) => `${BINARY}-${name}`).join(', ')}: node_modules comes from ` +
        'another kind of machine, or package-lock.json was written on one.';
  return (
    `The package ${packageName} has it, an optional dependency.${copied} Reinstall without --omit=optional ` +
    'or --no-optional, on the platform that the app runs on. In a checkout, run `npm run build`.'
  );
}

/**
 * The error for an addon that could not be loaded.
 *
 * @param {unknown} cause what the generated loader threw
 * @param {System} [system] another one than this, for tests
 * @returns {MissingAddonError|UnloadableAddonError}
 */
function addonFailure(cause, system = currentSystem()) {
  const suffix = suffixOf(system);
  const packageName = `${BINARY}-${suffix}`;
  const file = fileFor(suffix);
  const platform = describeSystem(system);
  if (file === undefined) {
    return new MissingAddonError(platform, adviceFor(system, packageName), cause);
  }
  const fault = system.os === 'linux' ? elfFault(file, system.cpu) : undefined;
  if (fault !== undefined) return new UnloadableAddonError(platform, file, fault, REINSTALL);
  const reason = reasonOf(file, cause);
  return new UnloadableAddonError(platform, file, reason, remedyFor(reason, system, packageName));
}

module.exports = { addonFailure, addonFault, currentSystem, describeSystem, remedyFor };
