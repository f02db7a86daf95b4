'use strict';

// The code blocks of the guides in docs/ are code: they parse, and those of the page on TypeScript compile.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');
const ts = require('typescript');

const DOCS = path.join(__dirname, '..', '..', 'docs');

/** Pages whose blocks are whole statements. Blocks of the others may have an ellipsis. */
const GUIDES = [
  'index.md',
  'getting-started-loopback3.md',
  'getting-started-loopback4.md',
  'getting-started-express.md',
  'concepts.md',
  'tasks.md',
  'choosing-a-server.md',
  'deployment.md',
  'typescript.md',
  'migrating-from-0.4.md',
  'migrating-from-socketio-auth.md',
  'migrating-from-socket.io.md',
  'troubleshooting.md',
  'faq.md',
];

/** Languages of blocks that no test of this file reads. */
const OTHERS = ['sh', 'text', 'html', 'dockerfile', 'nginx'];

/**
 * @param {string} page in docs/
 * @returns {{ language: string, code: string, place: string }[]} its blocks of code
 */
function blocksOf(page) {
  const text = fs.readFileSync(path.join(DOCS, page), 'utf8');
  return [...text.matchAll(/^```(\w*)\n([^]*?)^```$/gm)].map(({ 1: language, 2: code, index }) => ({
    language,
    code,
    place: `${page}:${text.slice(0, index).split('\n').length}`,
  }));
}

/**
 * @param {string} code
 * @param {string} fileName that says which language it is
 * @returns {string[]} its errors of syntax
 */
function syntaxErrors(code, fileName) {
  const { diagnostics } = ts.transpileModule(code, {
    fileName,
    reportDiagnostics: true,
    compilerOptions: {
      target: ts.ScriptTarget.ESNext,
      module: ts.ModuleKind.ESNext,
      experimentalDecorators: true,
    },
  });
  return diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

/**
 * @param {{ language: string, code: string }} block
 * @returns {string[]} what is wrong with it
 */
function faultsOf({ language, code }) {
  if (language === 'js') return syntaxErrors(code, 'block.js');
  if (language === 'ts') return syntaxErrors(code, 'block.ts');
  if (OTHERS.includes(language)) return [];
  if (language !== 'json') return [`no test knows the language ${JSON.stringify(language)}`];
  try {
    JSON.parse(code);
    return [];
  } catch (error) {
    return [error.message];
  }
}

describe('the code blocks of the guides', () => {
  for (const page of GUIDES) {
    it(`the code blocks of docs/${page} parse`, () => {
      const faults = blocksOf(page).flatMap((block) =>
        faultsOf(block).map((fault) => `${block.place}: ${fault}`),
      );
      assert.deepEqual(faults, []);
    });
  }

  it('the code blocks of docs/typescript.md compile, with the types of the package', () => {
    const files = new Map();
    for (const { language, code, place } of blocksOf('typescript.md')) {
      if (language !== 'ts') continue;
      // A block that begins with the name of a file is imported by that name.
      const name = /^\/\/ (\w+\.ts)\n/.exec(code)?.[1] ?? `${place.replaceAll(/\W/g, '-')}.ts`;
      files.set(path.join(DOCS, name), `${code}\nexport {};\n`);
    }
    assert.ok(files.size > 3);

    const options = {
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
    const host = ts.createCompilerHost(options);
    const { fileExists, readFile, getSourceFile } = host;
    host.fileExists = (name) => files.has(path.normalize(name)) || fileExists(name);
    host.readFile = (name) => files.get(path.normalize(name)) ?? readFile(name);
    host.getSourceFile = (name, target, ...rest) => {
      const code = files.get(path.normalize(name));
      return code === undefined
        ? getSourceFile(name, target, ...rest)
        : ts.createSourceFile(name, code, target);
    };
    const program = ts.createProgram([...files.keys()], options, host);
    const faults = ts
      .getPreEmitDiagnostics(program)
      .map(
        ({ file, messageText }) =>
          `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
      );
    assert.deepEqual(faults, []);
  });
});
