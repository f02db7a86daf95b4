'use strict';

// The types, compiled as users compile them: every consumer in `consumers/` under every way TypeScript
// has to find and load the package, and every example of the declarations in types/.

const assert = require('node:assert/strict');
const { EventEmitter } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, it } = require('node:test');
const ts = require('typescript');

const ROOT = path.join(__dirname, '..', '..', '..');
const CONSUMERS = path.join(__dirname, 'consumers');

const { ModuleKind, ModuleResolutionKind } = ts;

const STRICT = {
  strict: true,
  skipLibCheck: true,
  noEmit: true,
  noUncheckedIndexedAccess: true,
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2022.d.ts'],
  types: ['node'],
};

/** Without package exports: found through `types` of package.json. */
const CLASSIC = {
  module: ModuleKind.CommonJS,
  moduleResolution: ModuleResolutionKind.Node10,
  ignoreDeprecations: '5.0',
  paths: { 'loopback-socket': [ROOT], 'loopback-socket/*': [path.join(ROOT, '*')] },
};
const NODE = { module: ModuleKind.NodeNext, moduleResolution: ModuleResolutionKind.NodeNext };
const NODE16 = { module: ModuleKind.Node16, moduleResolution: ModuleResolutionKind.Node16 };
const BUNDLER = { module: ModuleKind.ESNext, moduleResolution: ModuleResolutionKind.Bundler };

/** A page, without the types of Node. */
const BROWSER = { types: [], lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'] };

const WAYS = [
  ['TypeScript CommonJS, import = require, nodenext', 'commonjs.cts', NODE],
  ['TypeScript CommonJS, import = require, node16', 'commonjs.cts', NODE16],
  ['TypeScript CommonJS, import = require, classic', 'commonjs.cts', CLASSIC],
  ['TypeScript ES module, nodenext', 'esm.mts', NODE],
  ['TypeScript ES module, node16', 'esm.mts', NODE16],
  ['TypeScript ES module, bundler', 'esm.mts', BUNDLER],
  ['default import with esModuleInterop, nodenext', 'default-import.ts', NODE],
  [
    'default import with esModuleInterop, classic',
    'default-import.ts',
    { ...CLASSIC, esModuleInterop: true },
  ],
  ['default import, bundler', 'default-import.ts', BUNDLER],
  ['the native server, nodenext', 'server.cts', NODE],
  ['the native server, classic', 'server.cts', CLASSIC],
  ['adapters, nodenext', 'adapters.cts', NODE],
  ['adapters, classic', 'adapters.cts', CLASSIC],
  ['typed events, nodenext', 'typed-events.cts', NODE],
  ['typed events, classic', 'typed-events.cts', CLASSIC],
  ['a declared interface, nodenext', 'api.cts', NODE],
  ['a declared interface, classic', 'api.cts', CLASSIC],
  ['the helper for clients, CommonJS, nodenext', 'client.cts', NODE],
  ['the helper for clients, CommonJS, node16', 'client.cts', NODE16],
  ['the helper for clients, CommonJS, classic', 'client.cts', CLASSIC],
  ['the helper for clients, ES module, nodenext', 'client.mts', NODE],
  ['the helper for clients, ES module, node16', 'client.mts', NODE16],
  ['the helper for clients, ES module, bundler', 'client.mts', BUNDLER],
  ['the helper for clients, browser', 'client.mts', { ...BUNDLER, ...BROWSER }],
  ['options of calls, nodenext', 'calls.cts', NODE],
  ['an API defined in one place, nodenext', 'define-api.cts', NODE],
  ['an API defined in one place, classic', 'define-api.cts', CLASSIC],
  ['OpenTelemetry, CommonJS, nodenext', 'otel.cts', NODE],
  ['OpenTelemetry, CommonJS, classic', 'otel.cts', CLASSIC],
  ['OpenTelemetry, ES module, node16', 'otel.mts', NODE16],
  ['OpenTelemetry, ES module, bundler', 'otel.mts', BUNDLER],
  ['figures, nodenext', 'metrics.cts', NODE],
  ['figures, classic', 'metrics.cts', CLASSIC],
  ['the preload, CommonJS', 'register.cts', NODE],
  ['the preload, ES module', 'register.mts', NODE],
  ['checked JavaScript, CommonJS', 'javascript.cjs', { ...NODE, allowJs: true, checkJs: true }],
  ['checked JavaScript, ES module', 'javascript.mjs', { ...NODE, allowJs: true, checkJs: true }],
];

/**
 * What the compiler has to say.
 * @param {string[]} files
 * @param {import('typescript').CompilerOptions} options
 * @param {Record<string, string>} [virtual] - texts of files that are not on disk
 * @returns {string} empty when all is well
 */
function diagnose(files, options, virtual = {}) {
  const compilerOptions = { ...STRICT, ...options };
  const host = ts.createCompilerHost(compilerOptions);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (name) => name in virtual || fileExists(name);
  host.readFile = (name) => virtual[name] ?? readFile(name);
  host.getSourceFile = (name, languageVersion, ...rest) =>
    name in virtual
      ? ts.createSourceFile(name, virtual[name], languageVersion)
      : getSourceFile(name, languageVersion, ...rest);
  const program = ts.createProgram(files, compilerOptions, host);
  return ts.formatDiagnostics(ts.getPreEmitDiagnostics(program), {
    getCanonicalFileName: (name) => name,
    getCurrentDirectory: () => ROOT,
    getNewLine: () => '\n',
  });
}

describe('the types', () => {
  for (const [way, file, options] of WAYS) {
    it(`the types compile for ${way}`, () => {
      assert.equal(diagnose([path.join(CONSUMERS, file)], options), '');
    });
  }

  it('the types compile by themselves without skipLibCheck', () => {
    const files = [
      'index.d.ts',
      'index.d.mts',
      'register.d.ts',
      'otel.d.ts',
      'client.d.ts',
      'client.d.mts',
    ];
    const paths = files.map((name) => path.join(ROOT, name));
    assert.equal(diagnose(paths, { ...NODE, skipLibCheck: false }), '');
  });

  it('the types of the helper for clients need no types of Node', () => {
    const paths = ['client.d.ts', 'client.d.mts'].map((name) => path.join(ROOT, name));
    assert.equal(diagnose(paths, { ...BUNDLER, ...BROWSER, skipLibCheck: false }), '');
  });
});

describe('the types in declarations of users', () => {
  /** What the consumer and the types of the package need beside it. */
  const LINKED = [
    '@types',
    '@socket.io',
    'engine.io-client',
    'engine.io-parser',
    'socket.io-client',
    'socket.io-parser',
    'undici-types',
  ];
  let app;

  before(() => {
    // Installed and not linked: the compiler names a type by a file of the package only if it is the package itself.
    app = fs.mkdtempSync(path.join(os.tmpdir(), 'loopback-socket-types-'));
    const modules = path.join(app, 'node_modules');
    const installed = path.join(modules, 'loopback-socket');
    fs.cpSync(path.join(ROOT, 'types'), path.join(installed, 'types'), { recursive: true });
    for (const name of fs.readdirSync(ROOT)) {
      if (/\.d\.m?ts$/.test(name) || name === 'package.json') {
        fs.copyFileSync(path.join(ROOT, name), path.join(installed, name));
      }
    }
    for (const name of LINKED) {
      fs.symlinkSync(path.join(ROOT, 'node_modules', name), path.join(modules, name), 'junction');
    }
    const consumer = path.join(CONSUMERS, 'declarations.mts');
    fs.copyFileSync(consumer, path.join(app, 'declarations.mts'));
  });
  after(() => fs.rmSync(app, { recursive: true, force: true }));

  for (const [way, options] of [
    ['nodenext', NODE],
    ['node16', NODE16],
    ['bundler', BUNDLER],
  ]) {
    it(`inferred types can be written to declarations, ${way}`, () => {
      const typeRoots = [path.join(app, 'node_modules', '@types')];
      const installed = { ...options, declaration: true, preserveSymlinks: true, typeRoots };
      assert.equal(diagnose([path.join(app, 'declarations.mts')], installed), '');
    });
  }

  it('no file of types/ exports a name that no entry exports', () => {
    const folder = path.join(ROOT, 'types');
    const files = fs.readdirSync(folder).map((name) => path.join(folder, name));
    const entries = ['index.d.ts', 'client.d.ts'].map((name) => path.join(ROOT, name));
    const program = ts.createProgram([...files, ...entries], { ...STRICT, ...NODE });
    const checker = program.getTypeChecker();
    const namesOf = (file) => {
      const module = checker.getSymbolAtLocation(program.getSourceFile(file));
      return checker.getExportsOfModule(module).map(({ name }) => name);
    };
    const reachable = new Set(entries.flatMap(namesOf));
    for (const file of files) {
      for (const name of namesOf(file)) {
        assert.ok(reachable.has(name), `${name} of ${path.basename(file)} is exported`);
      }
    }
  });
});

describe('the examples of the types', () => {
  const folder = path.join(ROOT, 'types');
  const source = fs
    .readdirSync(folder)
    .map((name) => fs.readFileSync(path.join(folder, name), 'utf8'))
    .join('\n');
  const examples = [...source.matchAll(/^ *\* @example\n((?: *\*(?! @|\/).*\n)+)/gm)].map(
    ([, body]) => body.replace(/^ *\* ?/gm, ''),
  );

  /** What examples use without making it. */
  const surroundings = {
    LoopbackSocket: "import LoopbackSocket from 'loopback-socket';",
    sockets: "const sockets = LoopbackSocket.get('bookshop');",
    app: 'declare const app: LoopbackSocket.LoopBack3Application;',
    io: 'declare const io: LoopbackSocket.Server;',
    socket: 'declare const socket: LoopbackSocket.Socket;',
  };

  it('the types have at least 50 examples', () => {
    assert.ok(examples.length >= 50, `${examples.length} examples`);
  });

  it('the examples of the types compile', () => {
    const virtual = {};
    examples.forEach((example, index) => {
      const head = Object.entries(surroundings)
        .filter(([name]) => !new RegExp(`(const|let|class) ${name}\\b`).test(example))
        .map(([, text]) => text);
      const text = [...head, example, 'export {};'].join('\n');
      virtual[path.join(CONSUMERS, `example-${index + 1}.mts`)] = text;
    });
    assert.equal(diagnose(Object.keys(virtual), NODE, virtual), '');
  });
});

describe('the types and the code', () => {
  const LoopbackSocket = require('../../..');

  const files = ['index.d.ts', 'index.d.mts'].map((name) => path.join(ROOT, name));
  const program = ts.createProgram(files, { ...STRICT, ...NODE });
  const checker = program.getTypeChecker();
  const [commonjs, esm] = files.map((file) =>
    checker.getSymbolAtLocation(program.getSourceFile(file)),
  );
  const face = checker.resolveExternalModuleSymbol(commonjs);

  /** What a symbol is, behind its alias if it is one. */
  const flagsOf = (symbol) =>
    (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol).flags;

  /** The names of the values among these symbols, sorted. */
  const values = (symbols) =>
    symbols
      .filter((symbol) => flagsOf(symbol) & ts.SymbolFlags.Value && symbol.name !== 'prototype')
      .map((symbol) => symbol.name)
      .sort();

  /** The type of an instance of a class or interface of the namespace. */
  const typeOf = (name) =>
    checker.getDeclaredTypeOfSymbol(name === face.name ? face : face.exports.get(name));

  const { Connection } = require('../../../lib/socketio/connection');
  const { Socket } = require('../../../lib/socketio/socket');
  const server = new LoopbackSocket.Server();
  const { _link: link, _front: front } = server;
  const request = { url: '/', headers: {}, _query: {} };
  const connection = new Connection({ server, link, front }, 'a', {
    protocol: 4,
    transport: 'websocket',
    snapshot: () => ({ request, address: '::1' }),
  });

  /** One of each, by the name of its type. */
  const OBJECTS = {
    LoopbackSocket: new LoopbackSocket('bookshop'),
    Server: server,
    Engine: server.engine,
    Namespace: server.sockets,
    ParentNamespace: server.of(/^\/shop-/),
    Adapter: server.sockets.adapter,
    BroadcastOperator: server.to('readers'),
    Socket: new Socket(server.sockets, 1, connection, { id: 'b' }),
    EngineSocket: connection.conn,
    Client: connection.client,
  };

  /** Fields that are neither declared nor begin with `_`. */
  const INTERNAL = new Set([
    'BroadcastOperator.namespace',
    'BroadcastOperator.rooms',
    'BroadcastOperator.exceptRooms',
    'BroadcastOperator.flags',
    'BroadcastOperator.skip',
    'Engine.middlewares',
    'ParentNamespace.pattern',
    // What adapters use.
    'Client.writeToEngine',
    'Server.eio',
    'Server.encoder',
    'Server.opts',
    'Socket.notifyOutgoingListeners',
    'Socket.packet',
    'Socket.pid',
  ]);

  /** The names of what an object has, other than what every emitter has. */
  const membersOf = (object) => {
    const names = new Set();
    for (
      let owner = object;
      owner !== EventEmitter.prototype && owner !== Object.prototype;
      owner = Object.getPrototypeOf(owner)
    ) {
      Object.getOwnPropertyNames(owner).forEach((name) => names.add(name));
    }
    names.delete('constructor');
    return [...names].filter((name) => !name.startsWith('_'));
  };

  it('the types declare the values that require() gets', () => {
    assert.deepEqual(values([...face.exports.values()]), Object.keys(LoopbackSocket).sort());
  });

  it('the types declare the values that import gets', async () => {
    const names = Object.keys(await import('../../../index.mjs'));
    assert.deepEqual(values(checker.getExportsOfModule(esm)), names.sort());
  });

  it('import exports every type but the helpers', () => {
    const HELPERS = [
      'AckOf',
      'AnyFunction',
      'Audience',
      'BeginsWithError',
      'IsAny',
      'LastOf',
      'ListenerOf',
      'ManyAcks',
      'NameByAck',
      'NamespaceCalls',
      'TimedAck',
      'TypedEmitter',
      'WithResponses',
      'WithTimeout',
    ];
    const named = checker.getExportsOfModule(esm).map(({ name }) => name);
    const types = [...face.exports.values()].filter(
      (symbol) => flagsOf(symbol) & (ts.SymbolFlags.Type | ts.SymbolFlags.Value),
    );
    const expected = types.map(({ name }) => name).filter((name) => name !== 'prototype');
    const left = expected.filter((name) => !named.includes(name));
    assert.deepEqual(left.sort(), [...HELPERS, 'get', 'resumed', 'tracked'].sort());
  });

  it('import exports every name that socket.io exports', () => {
    const file = path.join(path.dirname(require.resolve('socket.io')), 'index.d.ts');
    const theirs = ts.createProgram([file], { ...STRICT, ...NODE });
    const theirChecker = theirs.getTypeChecker();
    const source = theirChecker.getSymbolAtLocation(theirs.getSourceFile(file));
    const named = checker.getExportsOfModule(esm).map(({ name }) => name);
    for (const { name } of theirChecker.getExportsOfModule(source)) {
      if (name !== 'default' && name !== 'export=' && name !== 'prototype') {
        assert.ok(named.includes(name), `${name} is exported`);
      }
    }
  });

  it('the types declare every error code', () => {
    const source = fs.readFileSync(path.join(ROOT, 'lib', 'errors.js'), 'utf8');
    const codes = [...source.matchAll(/'([A-Z][A-Z_]+)'/g)].map(
      ([, code]) => `ERR_LOOPBACK_SOCKET_${code}`,
    );
    const declared = typeOf('ErrorCode').types.map((type) => type.value);
    assert.deepEqual(declared.sort(), codes.sort());
  });

  it('the types declare the constructors of errors', () => {
    const classes = Object.entries(LoopbackSocket).filter(
      ([, value]) => value.prototype instanceof LoopbackSocket.LoopbackSocketError,
    );
    assert.ok(classes.length > 40);
    const { LoopbackSocketError } = LoopbackSocket;
    for (let [name, Class] of [...classes, ['LoopbackSocketError', LoopbackSocketError]]) {
      const symbol = checker.getAliasedSymbol(face.exports.get(name));
      const [signature] = checker.getTypeOfSymbol(symbol).getConstructSignatures();
      const declared = signature.parameters.map((parameter) => parameter.name);
      while (!/ constructor\(/.test(String(Class))) {
        Class = Object.getPrototypeOf(Class);
      }
      const [, list] = / constructor\(([^)]*)\)/.exec(String(Class));
      const params = list.split(/,\s*/).filter((it) => it !== '');
      assert.deepEqual(
        declared,
        params.map((it) => /\w+/.exec(it)[0]),
        name,
      );
    }
  });

  it('the types of the helper declare the values that it exports', async () => {
    const file = path.join(ROOT, 'client.d.mts');
    const helper = ts.createProgram([file], { ...STRICT, ...NODE });
    const helperChecker = helper.getTypeChecker();
    const module = helperChecker.getSymbolAtLocation(helper.getSourceFile(file));
    const declared = helperChecker.getExportsOfModule(module).filter((symbol) => {
      const { flags } =
        symbol.flags & ts.SymbolFlags.Alias ? helperChecker.getAliasedSymbol(symbol) : symbol;
      return flags & ts.SymbolFlags.Value;
    });
    const exported = Object.keys(await import('../../../client.mjs'));
    assert.deepEqual(declared.map(({ name }) => name).sort(), exported.sort());
  });

  for (const [name, object] of Object.entries(OBJECTS)) {
    it(`the types declare every public member of ${name}`, () => {
      const type = typeOf(name);
      for (const symbol of checker.getPropertiesOfType(type)) {
        if (symbol.name.startsWith('__@')) continue; // a symbol of Node's
        assert.ok(symbol.name in object, `${symbol.name} is declared`);
        if (symbol.flags & ts.SymbolFlags.Method) {
          assert.equal(typeof object[symbol.name], 'function', `${symbol.name} is a method`);
        }
      }
      for (const key of membersOf(object)) {
        if (!INTERNAL.has(`${name}.${key}`)) {
          assert.ok(checker.getPropertyOfType(type, key), `${key} is not declared`);
        }
      }
    });
  }

  it('the types declare every option of a server', () => {
    const { serverOptions } = require('../../../lib/socketio/options');
    const declared = checker.getPropertiesOfType(typeOf('ServerOptions')).map(({ name }) => name);
    for (const name of Object.keys(serverOptions())) {
      assert.ok(declared.includes(name), `${name} is not declared`);
    }
    for (const name of declared) {
      assert.doesNotThrow(() => serverOptions({ [name]: undefined }), `${name} is declared`);
    }
  });
});
