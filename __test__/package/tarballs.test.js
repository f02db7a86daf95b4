'use strict';

// What npm publishes, installed from its tarballs in an empty folder on a machine without Rust.

const assert = require('node:assert/strict');
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, it } = require('node:test');
const ts = require('typescript');
const { GLIBC, hostTarget, newestGlibc, parseTarget } = require('../../scripts/build-release');
const { npmCommand } = require('../../scripts/steps');
const { FILE, thirdPartyLicenses } = require('../../scripts/licenses');
const { crates, rustComponents } = require('../../scripts/sbom');
const { ROOT } = require('../support/installation');

const TIMEOUT = 5 * 60_000;

/** How much the package and one binary may take on disk, in bytes. */
const SIZE_LIMIT = 5_000_000;

/** The package with the binary for this machine. */
const { platform, file: BINARY } = parseTarget(hostTarget());

const { ModuleKind, ModuleResolutionKind } = ts;

/** The ways in which TypeScript finds and loads packages. */
const WAYS = {
  node16: { module: ModuleKind.Node16, moduleResolution: ModuleResolutionKind.Node16 },
  nodenext: { module: ModuleKind.NodeNext, moduleResolution: ModuleResolutionKind.NodeNext },
  bundler: { module: ModuleKind.ESNext, moduleResolution: ModuleResolutionKind.Bundler },
  commonjs: {
    module: ModuleKind.CommonJS,
    moduleResolution: ModuleResolutionKind.Node10,
    ignoreDeprecations: '5.0',
    esModuleInterop: true,
  },
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

  for (const [way, options] of Object.entries(WAYS)) {
    it(`TypeScript checks a program and the declarations it uses, ${way}`, () => {
      // Node 16's and nodenext's rules tell the kind of module by the name.
      const file = path.join(project, way === 'commonjs' ? 'consumer.ts' : 'consumer.mts');
      fs.writeFileSync(file, CONSUMER);
      const program = ts.createProgram([file], {
        ...options,
        strict: true,
        skipLibCheck: false,
        noEmit: true,
        target: ts.ScriptTarget.ES2022,
        lib: ['lib.es2022.d.ts'],
        types: ['node'],
        typeRoots: [path.join(ROOT, 'node_modules', '@types')],
      });
      const found = ts.getPreEmitDiagnostics(program).map(({ file: at, messageText }) => {
        return `${at?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
      });
      assert.deepEqual(found, []);
    });
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
