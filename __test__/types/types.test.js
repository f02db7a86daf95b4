'use strict';

// The types, compiled as users compile them: every consumer in `consumers/` under every way TypeScript
// has to find and load the package, and every example of index.d.ts.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');
const ts = require('typescript');

const ROOT = path.join(__dirname, '..', '..');
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
  paths: { 'loopback-socket': [ROOT] },
};
const NODE = { module: ModuleKind.NodeNext, moduleResolution: ModuleResolutionKind.NodeNext };
const NODE16 = { module: ModuleKind.Node16, moduleResolution: ModuleResolutionKind.Node16 };
const BUNDLER = { module: ModuleKind.ESNext, moduleResolution: ModuleResolutionKind.Bundler };

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
    it(`serve ${way}`, () => {
      assert.equal(diagnose([path.join(CONSUMERS, file)], options), '');
    });
  }

  it('compile by themselves, libraries checked', () => {
    const files = ['index.d.ts', 'index.d.mts'].map((name) => path.join(ROOT, name));
    assert.equal(diagnose(files, { ...NODE, skipLibCheck: false }), '');
  });
});

describe('the examples of the types', () => {
  const source = fs.readFileSync(path.join(ROOT, 'index.d.ts'), 'utf8');
  const examples = [...source.matchAll(/^ *\* @example\n((?: *\*(?! @|\/).*\n)+)/gm)].map(
    ([, body]) => body.replace(/^ *\* ?/gm, ''),
  );

  /** What examples use without making it. */
  const surroundings = {
    LoopbackSocket: "import LoopbackSocket = require('loopback-socket');",
    sockets: "const sockets = LoopbackSocket.get('bookshop');",
    io: 'declare const io: LoopbackSocket.Server;',
    socket: 'declare const socket: LoopbackSocket.Socket;',
  };

  it('are there for what users call', () => {
    assert.ok(examples.length >= 15, `${examples.length} examples`);
  });

  it('compile', () => {
    const virtual = {};
    examples.forEach((example, index) => {
      const head = Object.entries(surroundings)
        .filter(([name]) => !new RegExp(`(const|let|class) ${name}\\b`).test(example))
        .map(([, text]) => text);
      const text = [...head, example, 'export {};'].join('\n');
      virtual[path.join(CONSUMERS, `example-${index + 1}.cts`)] = text;
    });
    assert.equal(diagnose(Object.keys(virtual), NODE, virtual), '');
  });
});

describe('the types and the code', () => {
  const LoopbackSocket = require('../..');

  const files = ['index.d.ts', 'index.d.mts'].map((name) => path.join(ROOT, name));
  const program = ts.createProgram(files, { ...STRICT, ...NODE });
  const checker = program.getTypeChecker();
  const [commonjs, esm] = files.map((file) =>
    checker.getSymbolAtLocation(program.getSourceFile(file)),
  );
  const face = checker.resolveExternalModuleSymbol(commonjs);

  /** The names of the values among these symbols, sorted. */
  const values = (symbols) =>
    symbols
      .filter((symbol) => {
        const { flags } =
          symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
        return flags & ts.SymbolFlags.Value && symbol.name !== 'prototype';
      })
      .map((symbol) => symbol.name)
      .sort();

  /** The type of an instance of a class or interface of the namespace. */
  const typeOf = (name) =>
    checker.getDeclaredTypeOfSymbol(name === face.name ? face : face.exports.get(name));

  const CLASSES = {
    LoopbackSocket,
    Server: LoopbackSocket.Server,
    Namespace: require('../../lib/namespace').Namespace,
    Socket: require('../../lib/socket').Socket,
    BroadcastOperator: require('../../lib/broadcast').BroadcastOperator,
  };

  it('export the same values to require()', () => {
    assert.deepEqual(values([...face.exports.values()]), Object.keys(LoopbackSocket).sort());
  });

  it('export the same values to import', async () => {
    const names = Object.keys(await import('../../index.mjs'));
    assert.deepEqual(values(checker.getExportsOfModule(esm)), names.sort());
  });

  it('have the same error codes', () => {
    const source = fs.readFileSync(path.join(ROOT, 'lib', 'errors.js'), 'utf8');
    const codes = [...source.matchAll(/'([A-Z]+_[A-Z_]+)'/g)].map(
      ([, code]) => `ERR_LOOPBACK_SOCKET_${code}`,
    );
    const declared = typeOf('ErrorCode').types.map((type) => type.value);
    assert.deepEqual(declared.sort(), codes.sort());
  });

  for (const [name, { prototype }] of Object.entries(CLASSES)) {
    it(`have the same public methods of ${name}`, () => {
      const type = typeOf(name);
      for (const symbol of checker.getPropertiesOfType(type)) {
        const isOurs = !symbol.name.startsWith('__@'); // not a symbol of Node's
        if (isOurs && symbol.flags & ts.SymbolFlags.Method) {
          assert.equal(typeof prototype[symbol.name], 'function', `${symbol.name} is declared`);
        }
      }
      for (const key of Object.getOwnPropertyNames(prototype)) {
        if (key === 'constructor' || key.startsWith('_')) continue;
        assert.ok(checker.getPropertyOfType(type, key), `${key} is not declared`);
      }
    });
  }
});
