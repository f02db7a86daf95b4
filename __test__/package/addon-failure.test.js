'use strict';

// What require('loopback-socket') throws when there is no addon, or none that loads.

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, it } = require('node:test');
const { dependencies, napi, version } = require('../../package.json');
const { hostTarget, parseTarget } = require('../../scripts/build-release');
const { remedyFor } = require('../../lib/native/addon-failure');
const { ROOT, install: copyPackages } = require('../support/installation');

/** The package with the binary for this machine. */
const { platform } = parseTarget(hostTarget());
const PACKAGE = `${napi.binaryName}-${platform}`;
const ADDON = `${napi.binaryName}.${platform}.node`;

/** Prints what requiring the package threw. */
const PROGRAM = `
  try {
    require('loopback-socket');
    console.log(JSON.stringify({ loaded: true }));
  } catch (error) {
    const { name, code, message, cause } = error;
    console.log(JSON.stringify({ name, code, message, hasCause: cause instanceof Error }));
  }
`;

describe('the addon cannot be loaded', () => {
  let project;

  before(() => {
    project = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'loopback-socket-')));
    const folder = path.join(project, 'node_modules', 'loopback-socket');
    for (const name of ['index.js', 'binding.js', 'package.json', 'lib']) {
      fs.cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true });
    }
    copyPackages(Object.keys(dependencies), project);
  });

  after(() => fs.rmSync(project, { recursive: true, force: true }));

  /**
   * Installs a package with a binary for the length of one test.
   * @param {import('node:test').TestContext} t
   * @param {string} name of the package
   * @param {string} main its binary
   * @param {string|Buffer} content what is in that
   * @returns {string} the binary
   */
  function install(t, name, main, content) {
    const folder = path.join(project, 'node_modules', name);
    fs.mkdirSync(folder);
    t.after(() => fs.rmSync(folder, { recursive: true }));
    fs.writeFileSync(path.join(folder, main), content);
    fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name, version, main }));
    return path.join(folder, main);
  }

  /**
   * Requires the package in a process of its own.
   * @param {string[]} [flags] for Node
   * @param {string} [preload] a program that runs before
   * @returns {{ name: string, code: string, message: string, hasCause: boolean }}
   */
  function load(flags = [], preload = '') {
    const options = { cwd: project, encoding: 'utf8', timeout: 60_000 };
    const args = [...flags, '-e', preload + PROGRAM];
    const { signal, stdout, stderr } = spawnSync(process.execPath, args, options);
    assert.notEqual(stdout, '', signal ?? stderr);
    return JSON.parse(stdout);
  }

  it('an addon that is not installed is an error that names its package and the platform', () => {
    const { name, code, message, hasCause } = load();
    assert.equal(name, 'MissingAddonError');
    assert.equal(code, 'ERR_LOOPBACK_SOCKET_NO_ADDON');
    assert.ok(message.includes(`${process.platform} ${process.arch}`), message);
    assert.ok(message.includes(PACKAGE), message);
    assert.match(message, /is not installed.*--omit=optional.*npm run build/);
    assert.equal(hasCause, true);
  });

  it('an addon for another platform alone is an error that says where node_modules comes from', (t) => {
    const other = platform === 'darwin-arm64' ? 'linux-x64-gnu' : 'darwin-arm64';
    install(t, `${napi.binaryName}-${other}`, `${napi.binaryName}.${other}.node`, '');
    const { code, message } = load();
    assert.equal(code, 'ERR_LOOPBACK_SOCKET_NO_ADDON');
    assert.match(
      message,
      new RegExp(`installed is ${napi.binaryName}-${other}: node_modules comes`),
    );
  });

  it('a platform without a package is an error that lists those that have one', () => {
    const preload = `Object.defineProperty(process, 'arch', { value: 's390x' });`;
    const { code, message } = load([], preload);
    assert.equal(code, 'ERR_LOOPBACK_SOCKET_NO_ADDON');
    assert.match(message, /no package with a binary for this platform.*linux-arm64-musl/);
    for (const target of napi.targets) {
      assert.ok(message.includes(parseTarget(target).platform), message);
    }
  });

  for (const [title, change, reason] of [
    ['is no binary', () => Buffer.from('<html>not found</html>'), /it is no binary for Linux/],
    ['is empty', () => Buffer.alloc(0), /it is no binary for Linux/],
    // The system would end the process, which reads what is not there.
    [
      'is incomplete',
      (built) => built.subarray(0, built.length >> 1),
      /it has only \d+ of its \d+ bytes/,
    ],
    [
      'is for another processor',
      (built) => {
        built.writeUInt16LE(process.arch === 'arm64' ? 0x3e : 0xb7, 18);
        return built;
      },
      /it is for the processor (arm64|x64)/,
    ],
  ]) {
    it(`an addon that ${title} is an error that names the file and the reason`, (t) => {
      const content = change(fs.readFileSync(path.join(ROOT, ADDON)));
      const file = install(t, PACKAGE, ADDON, content);
      const { name, code, message, hasCause } = load();
      assert.equal(name, 'UnloadableAddonError');
      assert.equal(code, 'ERR_LOOPBACK_SOCKET_UNLOADABLE_ADDON');
      assert.ok(message.includes(`${process.platform} ${process.arch}`), message);
      assert.equal(message.split(file).length, 2, message);
      if (process.platform === 'linux') assert.match(message, reason);
      assert.match(
        message,
        /is installed and cannot be loaded: .*damaged, or was built for another.*install the packages again/s,
      );
      assert.equal(hasCause, true);
    });
  }

  it('an addon that needs a newer glibc is an error that names both versions', (t) => {
    if (process.platform !== 'linux') return; // Elsewhere there is no glibc.
    const { report } = process;
    const own = report.getReport().header.glibcVersionRuntime;
    // The same binary, whose versions of glibc no system has.
    const built = fs.readFileSync(path.join(ROOT, ADDON));
    const text = built.toString('latin1').replaceAll(/\0GLIBC_2\.(\d\d)\0/g, '\0GLIBC_9.$1\0');
    install(t, PACKAGE, ADDON, Buffer.from(text, 'latin1'));
    const { code, message } = load();
    assert.equal(code, 'ERR_LOOPBACK_SOCKET_UNLOADABLE_ADDON');
    assert.match(message, /GLIBC_9\.\d+' not found/);
    assert.match(
      message,
      new RegExp(`needs glibc 9\\.\\d+ or newer, and this system has glibc ${own}`),
    );
  });

  it('an addon that the permission model forbids is an error that names --allow-addons', (t) => {
    install(t, PACKAGE, ADDON, fs.readFileSync(path.join(ROOT, ADDON)));
    assert.deepEqual(load(), { loaded: true });
    const name = process.allowedNodeEnvironmentFlags.has('--permission')
      ? '--permission'
      : '--experimental-permission';
    const { code, message } = load([name, '--allow-fs-read=*']);
    assert.equal(code, 'ERR_LOOPBACK_SOCKET_UNLOADABLE_ADDON');
    assert.match(message, /--permission and without --allow-addons/);
    const forbidden = load(['--no-addons']);
    assert.equal(forbidden.code, 'ERR_LOOPBACK_SOCKET_UNLOADABLE_ADDON');
    assert.match(forbidden.message, /--no-addons/);
  });

  it('the message of each other system for an addon that does not load has its remedy', () => {
    const library = /another C library.*do not copy node_modules between Debian and Alpine/;
    const reinstall = /damaged, or was built for another kind of machine/;
    const readable = /Let the user that runs Node read the file.*noexec/;
    for (const [message, remedy] of [
      ['Error relocating /a.node: __memcpy_chk: symbol not found', library],
      ['Error loading shared library ld-linux-x86-64.so.2: No such file or directory', library],
      ['libc.musl-x86_64.so.1: cannot open shared object file: No such file', library],
      // musl's C library is libc.so, which on glibc is a text for linkers, or not there.
      ['/lib/x86_64-linux-gnu/libc.so: invalid ELF header', library],
      ['libc.so: cannot open shared object file: No such file or directory', library],
      ['libgcc_s.so.1: cannot open shared object file: No such file', /library that is missing/],
      ['Error loading shared library libgcc_s.so.1: No such file', /library that is missing/],
      ["(mach-o file, but is an incompatible architecture (have 'x86_64'))", reinstall],
      ['\\\\?\\C:\\a.node is not a valid Win32 application.', reinstall],
      ['/a.node: failed to map segment from shared object: Operation not permitted', readable],
      ['/a.node: cannot open shared object file: Permission denied', readable],
      ['something else', /install the packages again; .*report it with this message \(package\)/],
    ]) {
      assert.match(remedyFor(new Error(message), { os: 'linux' }, 'package'), remedy, message);
    }
  });
});
