'use strict';

// The package as it is published: what is in it, and that it works alone.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, it } = require('node:test');
const manifest = require('../../package.json');
const { commonJs } = require('../../scripts/build-client');
const { ROOT, copy, install, packed } = require('../support/installation');

/** The platform packages, by folder. */
const platforms = fs
  .readdirSync(path.join(ROOT, 'npm'))
  .map((name) => [name, require(`../../npm/${name}/package.json`)]);

describe('the package', () => {
  it('the package holds the files that users need and no others', () => {
    const files = packed(ROOT);
    const library = fs
      .readdirSync(path.join(ROOT, 'lib'), { recursive: true })
      .filter((file) => path.extname(file) !== '')
      .map((file) => `lib/${file.replaceAll(path.sep, '/')}`);
    const types = fs.readdirSync(path.join(ROOT, 'types')).map((name) => `types/${name}`);
    const faces = [
      'index.js',
      'index.mjs',
      'index.d.ts',
      'index.d.mts',
      'binding.js',
      'client.js',
      'client.mjs',
      'client.d.ts',
      'client.d.mts',
      'register.js',
      'register.d.ts',
      'otel.js',
      'otel.d.ts',
      'bin/loopback-socket.js',
      'prometheus.js',
      'prometheus.d.ts',
    ];
    const papers = ['CHANGELOG.md', 'LICENSE', 'README.md', 'SECURITY.md', 'package.json'];
    const pages = ['docs/grafana-dashboard.json'];
    const all = [...faces, ...library, ...types, ...pages, ...papers];
    assert.deepEqual(files, all.sort());
  });

  it('client.js is made of client.mjs as it is: if not, run npm run build', () => {
    assert.equal(fs.readFileSync(path.join(ROOT, 'client.js'), 'utf8'), commonJs());
  });

  it('every link in the documents of the package leads to a page of the web or a file in it', () => {
    const repository = manifest.repository.url.replace(/^git\+(.*)\.git$/, '$1');
    const raw = repository.replace('https://github.com', 'https://raw.githubusercontent.com');
    const folders = ['.', 'packages/loopback4', ...platforms.map(([name]) => `npm/${name}`)];
    const broken = folders.flatMap((folder) => {
      const text = fs.readFileSync(path.join(ROOT, folder, 'README.md'), 'utf8');
      return [...text.matchAll(/\]\(([^)\s#]+)/g)]
        .map(([, link]) => link)
        .filter((link) => {
          const own = [`${repository}/blob/main/`, `${repository}/tree/main/`, `${raw}/main/`];
          const start = own.find((address) => link.startsWith(address));
          if (start !== undefined) return !fs.existsSync(path.join(ROOT, link.slice(start.length)));
          if (/^https?:/.test(link)) return false;
          return !(['LICENSE', 'CHANGELOG.md', 'SECURITY.md'].includes(link) && folder === '.');
        });
    });
    assert.deepEqual(broken, []);
  });

  it("the package depends on cookie, debug, proxy-addr and the application's socket.io", () => {
    assert.deepEqual(Object.keys(manifest.dependencies), ['cookie', 'debug', 'proxy-addr']);
    assert.deepEqual(manifest.peerDependencies, {
      '@opentelemetry/api': '^1.3.0',
      'prom-client': '14 - 15',
      'socket.io': '2 - 4',
    });
    assert.deepEqual(manifest.peerDependenciesMeta, {
      '@opentelemetry/api': { optional: true },
      'prom-client': { optional: true },
    });
  });

  it('every manifest has the same version', () => {
    const cargo = fs.readFileSync(path.join(ROOT, 'Cargo.toml'), 'utf8');
    assert.equal(cargo.match(/^version = "(.*)"$/m)[1], manifest.version);
    for (const [name, platform] of platforms) {
      assert.equal(platform.version, manifest.version, name);
    }
    assert.equal(require('../../packages/loopback4/package.json').version, manifest.version);
  });

  it('every manifest says where its sources, its page and its issues are, and by whom it is', () => {
    const { author, bugs, homepage, license, repository } = manifest;
    const address = repository.url.replace(/^git\+(.*)\.git$/, '$1');
    assert.match(address, /^https:\/\/github\.com\/[\w-]+\/loopback-socket$/);
    assert.deepEqual([homepage, bugs.url], [`${address}#readme`, `${address}/issues`]);
    const folders = [...platforms.map(([name]) => `npm/${name}`), 'packages/loopback4'];
    for (const directory of folders) {
      const other = require(path.join(ROOT, directory, 'package.json'));
      assert.deepEqual(other.repository, { ...repository, directory }, directory);
      assert.deepEqual([other.author, other.license], [author, license], directory);
      assert.deepEqual([other.bugs, other.homepage], [bugs, homepage], directory);
      const text = fs.readFileSync(path.join(ROOT, directory, 'LICENSE'), 'utf8');
      assert.equal(text, fs.readFileSync(path.join(ROOT, 'LICENSE'), 'utf8'), directory);
    }
  });

  it('the fuzz targets are built with the versions of crates that the addon is built with', () => {
    const crates = (file) => {
      const text = fs.readFileSync(path.join(ROOT, file), 'utf8');
      return [...text.matchAll(/^name = "(.*)"\nversion = "(.*)"$/gm)].map(([, ...crate]) => crate);
    };
    const ours = crates('Cargo.lock');
    const others = crates(path.join('fuzz', 'Cargo.lock')).filter(
      ([name, version]) =>
        ours.some((crate) => crate[0] === name) &&
        !ours.some((crate) => crate[0] === name && crate[1] === version),
    );
    assert.deepEqual(others, [], 'in fuzz/: cargo update --precise VERSION NAME');
  });

  it('lockfiles name no registry', () => {
    const examples = ['express', 'fastify', 'feathers', 'loopback3', 'loopback4', 'nestjs'];
    const folders = [
      '.',
      'packages/loopback4',
      '__test__/examples/runners',
      ...examples.map((name) => `examples/${name}`),
    ];
    for (const file of folders.map((folder) => path.join(folder, 'package-lock.json'))) {
      const { packages } = JSON.parse(fs.readFileSync(path.join(ROOT, file), 'utf8'));
      const addresses = Object.values(packages).filter((entry) => /^https?:/.test(entry.resolved));
      assert.deepEqual(addresses, [], file);
    }
  });
});

describe('the platform packages', () => {
  it('there is a platform package for each target', () => {
    const found = platforms.map(
      ([
        name,
        {
          os: [system],
          cpu: [cpu],
          libc,
        },
      ]) => {
        const abi =
          { glibc: '-gnu', musl: '-musl' }[libc?.[0]] ?? (system === 'win32' ? '-msvc' : '');
        assert.equal(name, `${system}-${cpu}${abi}`);
        return name;
      },
    );
    assert.deepEqual(found.sort(), [
      'darwin-arm64',
      'darwin-x64',
      'linux-arm64-gnu',
      'linux-arm64-musl',
      'linux-x64-gnu',
      'linux-x64-musl',
      'win32-x64-msvc',
    ]);
    assert.equal(manifest.napi.targets.length, found.length);
  });

  it('the loader requires every platform package', () => {
    const loader = fs.readFileSync(path.join(ROOT, 'binding.js'), 'utf8');
    for (const [name, platform] of platforms) {
      const addon = `loopback-socket.${name}.node`;
      assert.equal(platform.name, `loopback-socket-${name}`);
      assert.equal(platform.main, addon);
      assert.deepEqual(platform.files, [addon, 'THIRD_PARTY_LICENSES']);
      assert.ok(loader.includes(`require('./${addon}')`), addon);
      assert.ok(loader.includes(`require('${platform.name}')`), platform.name);
    }
  });
});

describe('an installation of the package', () => {
  let project;

  before(() => {
    project = fs.mkdtempSync(path.join(os.tmpdir(), 'loopback-socket-'));
    copy(packed(ROOT), ROOT, path.join(project, 'node_modules', manifest.name));
    const addon = fs.readdirSync(ROOT).find((name) => name.endsWith('.node'));
    const [, platform] = platforms.find(([, { main }]) => main === addon);
    const folder = path.join(project, 'node_modules', platform.name);
    copy([addon], ROOT, folder);
    fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify(platform));
    install(Object.keys(manifest.dependencies), project);
  });

  after(() => fs.rmSync(project, { recursive: true, force: true }));

  /**
   * Runs a program in the project.
   * @param {string} type - of module
   * @param {string} program
   * @returns {string} what it printed
   */
  function execute(type, program) {
    const file = path.join(project, type === 'module' ? 'main.mjs' : 'main.cjs');
    fs.writeFileSync(file, program);
    return execFileSync(process.execPath, [file], { encoding: 'utf8', timeout: 30_000 }).trim();
  }

  /** Opens a server and closes it: the addon is loaded and the process ends. */
  const program = `
    const io = new Server(0);
    LoopbackSocket.get('app').start(io);
    io.close(() => console.log(Server === LoopbackSocket.Server, LoopbackSocket.get('app')._name));
  `;

  it('an installed package works with require()', () => {
    const head = `const LoopbackSocket = require('loopback-socket'); const { Server } = LoopbackSocket;`;
    assert.equal(execute('commonjs', head + program), 'true app');
  });

  it('an installed package works with import', () => {
    const head = `import LoopbackSocket, { Server } from 'loopback-socket';`;
    assert.equal(execute('module', head + program), 'true app');
  });

  it('an installed package has the helper for clients', () => {
    const program = (name) => `console.log(typeof ${name}.client, typeof ${name}.RemoteError);`;
    const head = `import * as helper from 'loopback-socket/client';`;
    assert.equal(execute('module', head + program('helper')), 'function function');
    const required = `const helper = require('loopback-socket/client');`;
    assert.equal(execute('commonjs', required + program('helper')), 'function function');
    const both = `import { createRequire } from 'node:module';
      const required = createRequire(import.meta.url)('loopback-socket/client');
      console.log(required.RemoteError === helper.RemoteError);`;
    // Node.js can require ES modules from 20.19 and 22.12 on: the classes are the same then.
    assert.equal(execute('module', head + both), String(process.features.require_module === true));
  });

  it('an installed package makes spans with the @opentelemetry/api of the application', () => {
    install(['@opentelemetry/api'], project);
    const head = `import { LoopbackSocketInstrumentation } from 'loopback-socket/otel';`;
    const made = `console.log(new LoopbackSocketInstrumentation().instrumentationVersion);`;
    assert.equal(execute('module', head + made), manifest.version);
  });

  it('an installed package exports its package.json', () => {
    const head = `console.log(require('loopback-socket/package.json').version);`;
    assert.equal(execute('commonjs', head), manifest.version);
  });
});
