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
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [...flags, '-e', preload + PROGRAM],
      options,
    );
    assert.notEqual(stdout, '', stderr);
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

  it('an addon that is damaged is an error that names the file and the reason', (t) => {
    const file = install(t, PACKAGE, ADDON, 'not a binary');
    const { name, code, message, hasCause } = load();
    assert.equal(name, 'UnloadableAddonError');
    assert.equal(code, 'ERR_LOOPBACK_SOCKET_UNLOADABLE_ADDON');
    assert.ok(message.includes(file), message);
    assert.match(
      message,
      /is installed and cannot be loaded: .*damaged.*install the packages again/s,
    );
    assert.equal(hasCause, true);
  });

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
    assert.match(message, new RegExp(`needs GLIBC 9\\.\\d+, and this system has glibc ${own}`));
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
});
