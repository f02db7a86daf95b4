'use strict';

// What npm publishes, installed from its tarballs in an empty folder on a machine without Rust.

const assert = require('node:assert/strict');
const { execFileSync, spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, it } = require('node:test');
const { GLIBC, hostTarget, newestGlibc, parseTarget } = require('../../scripts/build-release');
const { npmCommand } = require('../../scripts/steps');
const { FILE, thirdPartyLicenses } = require('../../scripts/licenses');
const { crates, rustComponents } = require('../../scripts/sbom');
const { launch } = require('../support/browser');
const { ROOT } = require('../support/installation');

const TIMEOUT = 5 * 60_000;

/** How much the package and one binary may take on disk, in bytes. */
const SIZE_LIMIT = 5_000_000;

/** The package with the binary for this machine. */
const { platform, file: BINARY } = parseTarget(hostTarget());

/** The compilers of TypeScript, by their versions. */
const COMPILERS = { 5.9: 'typescript', 7: 'typescript-7' };

/** The ways in which TypeScript finds and loads packages. */
const WAYS = {
  node16: ['--module', 'node16'],
  nodenext: ['--module', 'nodenext'],
  bundler: ['--module', 'esnext', '--moduleResolution', 'bundler'],
  commonjs: ['--module', 'commonjs', '--esModuleInterop'],
};

const CONSUMER = `
import LoopbackSocket, { Server } from 'loopback-socket';
import { client } from 'loopback-socket/client';
const sockets: LoopbackSocket = LoopbackSocket.get('app');
sockets.auth(async (socket, credentials) => credentials !== undefined && socket.id !== '');
sockets.start(new Server(3000));
export { client, sockets };
`;

/** Opens a server and closes it: the addon is loaded and the process ends. */
const PROGRAM = `
  const io = new Server(0);
  LoopbackSocket.get('app').start(io);
  io.close(() => console.log(Server === LoopbackSocket.Server, LoopbackSocket.get('app')._name));
`;

/** An app with a page, whose client comes from the server. It prints its port. */
const APP = `
  const http = require('node:http');
  const LoopbackSocket = require('loopback-socket');
  const page = \`<!doctype html><title>page</title><p></p>
    <script src="/socket.io/socket.io.js"></script>
    <script type="module">
      import { client } from '/socket.io/loopback-socket.mjs';
      const app = client(io(), { credentials: { user: 'Ada' } });
      document.querySelector('p').textContent = await app.call('greet', { title: 'Countess' });
    </script>\`;
  const server = http.createServer((req, res) => {
    res.setHeader('content-type', 'text/html');
    res.end(page);
  });
  const sockets = LoopbackSocket.get('page');
  sockets.auth(async (socket, { user }) => ({ user }));
  sockets.defineMethod('greet', async (socket, { user }, { title }) => 'Hello, ' + title + ' ' + user);
  sockets.start(new LoopbackSocket.Server(server));
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`;

describe('the tarballs', { timeout: TIMEOUT }, () => {
  let folder;
  let project;
  /** The tarball of the package itself. */
  let tarball;
  let sizes;

  /**
   * Packs a folder as npm publishes it.
   * @param {string} from
   * @returns {{ file: string, size: number }} the tarball, and what it holds in bytes
   */
  function pack(from) {
    const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
    const npm = npmCommand('npm', args);
    const options = { cwd: from, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
    const [packed] = Object.values(JSON.parse(execFileSync(npm.command, npm.args, options)));
    return { file: path.join(folder, packed.filename), size: packed.unpackedSize };
  }

  before(() => {
    folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'loopback-socket-')));
    project = path.join(folder, 'project');
    assert.ok(fs.existsSync(path.join(ROOT, BINARY)), 'there is no binary: npm run build:release');
    const packages = [pack(ROOT), pack(path.join(ROOT, 'npm', platform))];
    tarball = packages[0].file;
    sizes = packages.map(({ size }) => size);
    fs.mkdirSync(project);
    fs.writeFileSync(path.join(project, 'package.json'), '{ "private": true }');
    const files = packages.map(({ file }) => file);
    const npm = npmCommand('npm', ['install', '--prefer-offline', '--no-audit', ...files]);
    // Nothing is built: where there is no Rust, npm must not look for it.
    const PATH = [path.dirname(process.execPath), '/usr/bin', '/bin'].join(path.delimiter);
    const env = process.platform === 'win32' ? process.env : { ...process.env, PATH };
    const options = { cwd: project, env, encoding: 'utf8' };
    const { status, stderr } = spawnSync(npm.command, npm.args, options);
    assert.equal(status, 0, stderr);
  });

  after(() => fs.rmSync(folder, { recursive: true, force: true }));

  for (const [title, head, name] of [
    ['require()', `const L = require('loopback-socket'); const { Server } = L;`, 'main.cjs'],
    ['import', `import L, { Server } from 'loopback-socket';`, 'main.mjs'],
  ]) {
    it(`the packages from the tarballs work with ${title}`, () => {
      const file = path.join(project, name);
      fs.writeFileSync(file, `${head} const LoopbackSocket = L; ${PROGRAM}`);
      const printed = execFileSync(process.execPath, [file], { encoding: 'utf8', env: {} });
      assert.equal(printed.trim(), 'true app');
    });
  }

  it('an app from the tarballs, on a machine with Node alone, serves a browser', async (t) => {
    const file = path.join(project, 'app.cjs');
    fs.writeFileSync(file, APP);
    const app = spawn(process.execPath, [file], { env: {}, stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => app.kill());
    const [port] = await once(app.stdout, 'data');
    const browser = await launch();
    t.after(() => browser.close());
    const page = await browser.newPage();
    const errors = [];
    page.on('pageerror', (error) => errors.push(error.stack));
    await page.goto(`http://127.0.0.1:${Number(port)}/`);
    await page.getByText('Hello, Countess Ada').waitFor({ timeout: 60_000 });
    assert.deepEqual(errors, []);
  });

  for (const [compiler, name] of Object.entries(COMPILERS)) {
    for (const [way, options] of Object.entries(WAYS)) {
      it(`TypeScript ${compiler} checks a program and the declarations it uses, ${way}`, () => {
        // Node 16's and nodenext's rules tell the kind of module by the name.
        const file = path.join(project, way === 'commonjs' ? 'consumer.ts' : 'consumer.mts');
        fs.writeFileSync(file, CONSUMER);
        const tsc = path.join(ROOT, 'node_modules', name, 'bin', 'tsc');
        const types = path.join(ROOT, 'node_modules', '@types');
        const args = [tsc, ...options, '--strict', '--skipLibCheck', 'false', '--noEmit'];
        args.push('--target', 'es2022', '--lib', 'es2022', '--types', 'node', '--typeRoots', types);
        const { status, stdout } = spawnSync(process.execPath, [...args, file], {
          cwd: project,
          encoding: 'utf8',
        });
        assert.equal(status, 0, stdout);
      });
    }
  }

  it('publint finds nothing wrong with the package', async () => {
    const { publint } = await import('publint');
    const pkgDir = path.join(project, 'node_modules', 'loopback-socket');
    const { messages } = await publint({ pkgDir, pack: false, strict: true });
    assert.deepEqual(messages, []);
  });

  it('the types are not wrong in any way of resolving modules, says attw', () => {
    const cli = path.join(ROOT, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js');
    const options = { encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } };
    const { status, stdout, stderr } = spawnSync(process.execPath, [cli, tarball], options);
    assert.equal(status, 0, stdout + stderr);
  });

  it('the package and one binary are smaller than 5 MB', () => {
    const [main, binary] = sizes;
    assert.ok(main + binary < SIZE_LIMIT, `${main} bytes and ${binary} of the binary`);
  });

  it('THIRD_PARTY_LICENSES is what npm run licenses writes, and names every crate in the binary', () => {
    const text = fs.readFileSync(FILE, 'utf8');
    assert.equal(text, thirdPartyLicenses());
    const listed = crates().map(({ name, version }) => `${name} ${version}`);
    const missing = listed.filter((crate) => !text.includes(`\n${crate}, `));
    assert.deepEqual(missing, []);
    const components = rustComponents().components.map(({ name, version }) => `${name} ${version}`);
    assert.deepEqual(components, listed);
    // The compiler leaves the files in the binary whose code may panic.
    const binary = fs.readFileSync(path.join(ROOT, BINARY), 'latin1');
    const files = /registry[\\/]src[\\/][\w.-]+[\\/]([\w-]+)-(\d+\.\d+\.\d+[\w.+-]*)[\\/]/g;
    const found = new Set(
      [...binary.matchAll(files)].map(([, name, version]) => `${name} ${version}`),
    );
    assert.deepEqual(
      [...found].filter((crate) => !listed.includes(crate)),
      [],
    );
    assert.ok(found.size > 15, [...found].join());
  });

  it('THIRD_PARTY_LICENSES has the licenses of what a crate has taken from others', () => {
    const text = fs.readFileSync(FILE, 'utf8');
    for (const holder of ['fiat-crypto authors', 'The Rust Project Contributors']) {
      assert.ok(text.includes(holder), holder);
    }
  });

  it('the binary for Linux asks for no newer glibc than 2.17', (t) => {
    if (!platform.endsWith('-gnu')) return t.skip('this machine has no glibc');
    const file = path.join(ROOT, BINARY);
    const symbols = execFileSync('readelf', ['--wide', '--version-info', file], {
      encoding: 'utf8',
    });
    const versions = [...symbols.matchAll(/Name: GLIBC_(\d+)\.(\d+)/g)];
    assert.ok(versions.length > 0, symbols);
    const newest = Math.max(...versions.map(([, major, minor]) => major * 1000 + Number(minor)));
    const [major, minor] = GLIBC.split('.').map(Number);
    assert.ok(newest <= major * 1000 + minor, `the binary asks for ${newestGlibc(file)}`);
    assert.equal(newestGlibc(file), `${Math.floor(newest / 1000)}.${newest % 1000}`);
  });
});
