'use strict';

/** Blocks in TypeScript compile with the types of the package, and the objects of YAML with those of Kubernetes. */

const assert = require('node:assert/strict');
const path = require('node:path');
const { it } = require('node:test');
const ts = require('typescript');
const YAML = require('yaml');
const { ROOT } = require('../../support/installation');
const { placeOf } = require('../../support/pages');

const OPTIONS = {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2022.d.ts'],
  types: ['node'],
  strict: true,
  esModuleInterop: true,
  skipLibCheck: true,
  noEmit: true,
};

/** What the fragments of a page use and do not declare. */
const DECLARATIONS = {
  'docs/client.md': "declare const socket: import('loopback-socket/client').ClientSocket;",
};

/** The types of Kubernetes, by `kind`, and where they are. */
const KUBERNETES = { Deployment: 'kubernetes-types/apps/v1', Service: 'kubernetes-types/core/v1' };

/**
 * @param {Map<string, string>} files by name, in folders that need not exist
 * @returns {string[]} the errors that the compiler finds in them
 */
function errorsIn(files) {
  const host = ts.createCompilerHost(OPTIONS);
  const { fileExists, readFile, getSourceFile, directoryExists } = host;
  const folders = new Set([...files.keys()].map((name) => path.dirname(name)));
  host.directoryExists = (name) => folders.has(path.normalize(name)) || directoryExists(name);
  host.fileExists = (name) => files.has(path.normalize(name)) || fileExists(name);
  host.readFile = (name) => files.get(path.normalize(name)) ?? readFile(name);
  host.getSourceFile = (name, target, ...rest) => {
    const code = files.get(path.normalize(name));
    return code === undefined
      ? getSourceFile(name, target, ...rest)
      : ts.createSourceFile(name, code, target);
  };
  const program = ts.createProgram([...files.keys()], OPTIONS, host);
  return ts
    .getPreEmitDiagnostics(program)
    .map(
      ({ file, messageText }) =>
        `${path.relative(ROOT, file?.fileName ?? '')}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
    );
}

/**
 * @param {import('../../support/pages').Block} block in YAML, of objects of Kubernetes
 * @returns {string} a module that has them, as the types of Kubernetes want them
 */
function moduleOf(block) {
  return YAML.parseAllDocuments(block.text)
    .map((document, index) => {
      assert.deepEqual(document.errors, [], placeOf(block));
      const object = document.toJS();
      const { kind } = object;
      assert.ok(
        Object.hasOwn(KUBERNETES, kind),
        `${placeOf(block)}: no test knows the kind ${kind}`,
      );
      const type = `import('${KUBERNETES[kind]}').${kind}`;
      return `export const object${index}: ${type} = ${JSON.stringify(object)};`;
    })
    .join('\n');
}

/** Declares the test. */
module.exports = function declare(take) {
  const sources = take(({ language }) => language === 'ts');
  const objects = take(({ language, text }) => language === 'yaml' && /^apiVersion:/m.test(text));
  it('the code of the documentation in TypeScript compiles, and so do objects of Kubernetes', () => {
    const files = new Map();
    for (const block of sources) {
      // Beside package.json, as an app whose package is this one.
      const folder = path.join(ROOT, `${block.page}.code`);
      const declarations = DECLARATIONS[block.page] ?? '';
      // A fragment is a module, which may await.
      const name = block.file ?? `line-${block.line}.mts`;
      files.set(path.join(folder, name), `${declarations}\n${block.text}\nexport {};\n`);
    }
    for (const block of objects) {
      const name = `line-${block.line}.ts`;
      files.set(path.join(ROOT, `${block.page}.code`, name), moduleOf(block));
    }
    assert.deepEqual(errorsIn(files), []);
  });
};
