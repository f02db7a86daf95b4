'use strict';

// `npx loopback-socket doctor`: what it says of this machine, of others, and of one without the addon.

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, it } = require('node:test');
const manifest = require('../../package.json');
const checks = require('../../lib/doctor/checks');
const { examine, main } = require('../../lib/doctor');
const { hostTarget, parseTarget } = require('../../scripts/build-release');
const { ROOT, install } = require('../support/installation');

const ADDON = `${manifest.napi.binaryName}.${parseTarget(hostTarget()).platform}.node`;

/** A machine on which nothing is wrong. */
const GOOD = {
  platform: 'linux',
  versions: { node: '22.1.0' },
  flags: [],
  hasPermissionModel: false,
  openFiles: 1_048_576,
  cores: 4,
  load: 0.5,
  read: (file) =>
    ({
      '/proc/sys/net/core/somaxconn': '4096',
      '/proc/sys/net/ipv4/ip_local_port_range': '32768\t60999',
      '/proc/sys/fs/file-max': '9223372036854775807',
      '/sys/fs/cgroup/cpu.max': 'max 100000',
    })[file],
  versionOf: () => '4.8.1',
};

/** The same with files of the kernel that differ. */
const withFiles = (files) => ({ ...GOOD, read: (file) => files[file] ?? GOOD.read(file) });

/**
 * @param {string} folder where the package is
 * @param {string[]} args of the command
 * @param {object} [options] of the process
 * @returns {{status: number, stdout: string, stderr: string}} how it ended
 */
function doctor(folder, args, { flags = [], ...options } = {}) {
  const file = path.join(folder, manifest.bin['loopback-socket']);
  return spawnSync(process.execPath, [...flags, file, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
    ...options,
  });
}

/** Runs the command in this process. */
async function run(...args) {
  const printed = { out: '', err: '' };
  const code = await main(args, {
    out: (text) => (printed.out += text),
    err: (text) => (printed.err += text),
  });
  return { code, ...printed };
}

describe('the doctor on this machine', () => {
  it('the doctor says that the addon loads, and how sockets come, and exits with 0', () => {
    const { status, stdout, stderr } = doctor(ROOT, ['doctor', '--json']);
    assert.equal(status, 0, stderr);
    const { ok, version, findings } = JSON.parse(stdout);
    assert.equal(ok, true);
    assert.equal(version, manifest.version);
    assert.deepEqual(
      findings.map(({ check }) => check),
      ['runtime', 'addon', 'permission', 'servers', 'path', 'descriptors', 'cores', 'kernel'],
    );
    const of = (name) => findings.find(({ check }) => check === name);
    assert.match(of('addon').found, new RegExp(`${process.platform} ${process.arch}.* loads`));
    assert.equal(of('servers').details['socket.io'], require('socket.io/package.json').version);
    if (process.platform !== 'win32') {
      assert.deepEqual(of('path').details, { isTaken: true, servedBy: 'rust' });
      assert.ok(of('descriptors').details.limit > 0);
    }
    for (const { status: how, advice } of findings) {
      assert.equal(how === 'ok', advice === undefined);
    }
  });

  it('the doctor prints a line for each check, and what to change', async () => {
    const { code, out } = await run('doctor');
    assert.equal(code, 0);
    assert.ok(out.startsWith(`loopback-socket ${manifest.version}\n`));
    for (const check of ['runtime', 'addon', 'path', 'descriptors', 'kernel']) {
      assert.match(out, new RegExp(`^[✔!] ${check} +\\S`, 'm'));
    }
    assert.match(out, /It works here[.;]/);
  });

  it('a port that is in use is an error, and a free one is not', async (t) => {
    const server = net.createServer().listen(0);
    t.after(() => server.close());
    await once(server, 'listening');
    const used = await run('doctor', '--json', `--port=${server.address().port}`);
    assert.equal(used.code, 1);
    const finding = JSON.parse(used.out).findings.at(-1);
    assert.deepEqual([finding.check, finding.status], ['port', 'error']);
    assert.equal(finding.details.code, 'EADDRINUSE');
    assert.match(finding.advice, /Another process/);
    const free = await run('doctor', '--json', '--port', '0');
    assert.equal(free.code, 0);
  });

  it('the doctor says that Node may not use the network, as of version 25 with --permission alone', async (t) => {
    const given = ['permission', 'allowedNodeEnvironmentFlags'].map((name) => [
      name,
      Object.getOwnPropertyDescriptor(process, name),
    ]);
    t.after(() => {
      for (const [name, descriptor] of given) {
        if (descriptor === undefined) delete process[name];
        else Object.defineProperty(process, name, descriptor);
      }
    });
    const define = (name, value) =>
      Object.defineProperty(process, name, { configurable: true, value });
    define('permission', { has: (scope) => scope !== 'net' });
    define('allowedNodeEnvironmentFlags', new Set(['--allow-net']));
    const { code, out } = await run('doctor', '--json', '--port', '0');
    assert.equal(code, 1);
    const { findings } = JSON.parse(out);
    for (const name of ['path', 'port']) {
      const { status, advice } = findings.find(({ check }) => check === name);
      assert.equal(status, 'error');
      assert.match(advice, /--allow-net/);
    }
  });

  it('arguments that make no sense exit with 2, and --help explains', async () => {
    const wrong = [
      [],
      ['nurse'],
      ['doctor', '--xml'],
      ['doctor', '--port'],
      ['doctor', '--port=x'],
    ];
    for (const args of wrong) {
      const { code, err, out } = await run(...args);
      assert.equal(code, 2, args.join(' '));
      assert.match(err, /Usage: loopback-socket doctor/);
      assert.equal(out, '');
    }
    const { code, out } = await run('--help');
    assert.equal(code, 0);
    assert.match(out, /--json/);
  });
});

describe('the doctor in an installation without the addon', () => {
  let project;
  let folder;

  before(() => {
    project = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'loopback-socket-')));
    folder = path.join(project, 'node_modules', 'loopback-socket');
    for (const name of ['index.js', 'binding.js', 'package.json', 'lib', 'bin']) {
      fs.cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true });
    }
    install(Object.keys(manifest.dependencies), project);
  });

  after(() => fs.rmSync(project, { recursive: true, force: true }));

  it('the doctor says that the addon is missing and what to do, and exits with 1', () => {
    const { status, stdout, stderr } = doctor(folder, ['doctor', '--json'], { cwd: project });
    assert.equal(status, 1, stderr);
    const { ok, findings } = JSON.parse(stdout);
    assert.equal(ok, false);
    const addon = findings.find(({ check }) => check === 'addon');
    assert.equal(addon.details.code, 'ERR_LOOPBACK_SOCKET_NO_ADDON');
    assert.match(addon.found, /is not installed.*optional/);
    const names = findings.map(({ check }) => check);
    assert.ok(names.includes('descriptors') && !names.includes('path'));
    const servers = findings.find(({ check }) => check === 'servers');
    assert.equal(servers.details['socket.io'], undefined);
  });

  it('the doctor says why a binary does not load', (t) => {
    const file = path.join(folder, ADDON);
    fs.writeFileSync(file, 'no binary');
    t.after(() => fs.rmSync(file));
    const { status, stdout } = doctor(folder, ['doctor'], { cwd: project });
    assert.equal(status, 1);
    assert.match(stdout, /^✖ addon .*cannot be loaded/m);
    assert.match(stdout, /It does not work here/);
  });

  it('the doctor names the flag that --permission needs', () => {
    const name = process.allowedNodeEnvironmentFlags.has('--permission')
      ? '--permission'
      : '--experimental-permission';
    const flags = [name, '--allow-fs-read=*'];
    const { status, stdout } = doctor(ROOT, ['doctor'], { flags });
    assert.equal(status, 1);
    assert.match(stdout, /^✖ addon .*--allow-addons/m);
    assert.match(stdout, /^✖ permission .*\n.*--allow-addons/m);
  });
});

describe('the doctor on other machines', () => {
  it('a machine on which nothing is wrong gets no advice', async () => {
    const { ok, findings } = await examine({ system: GOOD });
    assert.equal(ok, true);
    const others = findings.filter(({ check }) => check !== 'cores');
    assert.deepEqual(
      others.filter(({ status, advice }) => status !== 'ok' || advice !== undefined),
      [],
    );
  });

  const few = { ...GOOD, openFiles: 1024 };
  const one = withFiles({ '/sys/fs/cgroup/cpu.max': '50000 100000' });
  const small = withFiles({ '/proc/sys/net/core/somaxconn': '128' });
  const guarded = { ...GOOD, hasPermissionModel: true };
  const MACHINES = [
    ['few descriptors', checks.checkDescriptors(few), 'warning', /LimitNOFILE/],
    ['half a core in a container', checks.checkCores(one, 0), 'warning', /second core/],
    ['a busy event loop', checks.checkCores(GOOD, 400), 'warning', /busy/],
    ['a high load', checks.checkCores({ ...GOOD, load: 30 }, 0), 'warning', /busy/],
    ['a small somaxconn', checks.checkKernel(small), 'warning', /net\.core\.somaxconn/],
    ['Socket.IO 1', checks.checkServers({ versionOf: () => '1.7.4' }), 'warning', /2, 3 or 4/],
    [
      'an old Node',
      checks.checkRuntime({ versions: { node: '12.0.0' } }, manifest),
      'error',
      /later/,
    ],
    ['--permission', checks.checkPermission(guarded), 'error', /--allow-addons/],
    ['a closed loopback', checks.checkPath(GOOD, { error: 'EACCES' }), 'error', /loopback/],
    ['port 80', checks.checkPort(GOOD, 80, { code: 'EACCES', message: 'no' }), 'error', /CAP_NET/],
  ];
  for (const [machine, { status, advice }, expected, pattern] of MACHINES) {
    it(`a machine with ${machine} gets advice`, () => {
      assert.equal(status, expected);
      assert.match(advice, pattern);
    });
  }

  it('a limit that the system does not have is no fault', () => {
    const bare = {
      ...GOOD,
      openFiles: undefined,
      read: () => undefined,
      versionOf: () => undefined,
    };
    for (const check of [checks.checkDescriptors, checks.checkKernel, checks.checkServers]) {
      assert.equal(check(bare).status, 'ok');
    }
    assert.equal(checks.checkDescriptors({ ...GOOD, openFiles: 'unlimited' }).status, 'ok');
    assert.equal(checks.checkCores(bare, 0).status, 'ok');
    const allowed = { hasPermissionModel: true, flags: ['--allow-addons'] };
    assert.equal(checks.checkPermission(allowed).status, 'ok');
  });

  it('the doctor says which way sockets take where Rust has no descriptor', () => {
    const relayed = checks.checkPath(GOOD, { isTaken: false, servedBy: 'node' });
    assert.match(relayed.found, /pass through Node/);
    const bun = { ...GOOD, versions: { node: '22.1.0', bun: '1.2.0' } };
    const onBun = checks.checkPath(bun, { isTaken: true, servedBy: 'node' });
    assert.match(onBun.found, /An I\/O thread polls them\. Requests are served by Node's http/);
    assert.match(checks.checkRuntime(bun, manifest).found, /Bun 1\.2\.0/);
  });
});
