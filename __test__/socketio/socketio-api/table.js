'use strict';

// docs/socketio-api.md as data, and what socket.io itself declares to be public.

const fs = require('node:fs');
const path = require('node:path');
const ts = require('typescript');

const ROOT = path.join(__dirname, '..', '..', '..');
const STATES = ['works', 'differs', 'refused', 'ignored', 'absent'];

/**
 * @typedef {object} Row
 * @property {string} member - as it is written: `to(room)`, `adapter = value`, `io: connection`
 * @property {string} name - of the member alone
 * @property {'works' | 'differs' | 'refused' | 'ignored' | 'absent'} state
 * @property {string} [code] - of the error or warning
 * @property {string} how
 */

/**
 * The rows of each section.
 * @returns {Map<string, Row[]>} by heading
 */
function readTable() {
  const text = fs.readFileSync(path.join(ROOT, 'docs', 'socketio-api.md'), 'utf8');
  const sections = new Map();
  for (const section of text.split(/^## /m).slice(1)) {
    const [heading] = section.split('\n', 1);
    const lines = section.split('\n').filter((line) => line.startsWith('| `'));
    sections.set(heading, lines.map(rowOf));
  }
  return sections;
}

/**
 * @param {string} line - of the table
 * @returns {Row}
 */
function rowOf(line) {
  const [, member, state, code, how] =
    /^\| `([^`]+)` *\| `([a-z]+)`(?: ([A-Z_]+))? *\|(.*)\|$/.exec(line) ?? [];
  if (!STATES.includes(state) || /refused|ignored/.test(state) !== (code !== undefined)) {
    throw new Error(`no row of the table: ${line}`);
  }
  const name = member.replace(/^new \w+/, 'constructor').split(/[( =]/, 1)[0];
  return { member, name, state, code: code && `ERR_LOOPBACK_SOCKET_${code}`, how: how.trim() };
}

/** Where socket.io declares what a section is about. */
const DECLARATIONS = {
  Server: ['socket.io/dist/index.d.ts', 'Server'],
  Namespace: ['socket.io/dist/namespace.d.ts', 'Namespace'],
  BroadcastOperator: ['socket.io/dist/broadcast-operator.d.ts', 'BroadcastOperator'],
  Socket: ['socket.io/dist/socket.d.ts', 'Socket'],
  Client: ['socket.io/dist/client.d.ts', 'Client'],
  Adapter: ['socket.io-adapter/dist/in-memory-adapter.d.ts', 'Adapter'],
  Engine: ['engine.io/build/server.d.ts', 'Server'],
  Connection: ['engine.io/build/socket.d.ts', 'Socket'],
  Options: ['socket.io/dist/index.d.ts', 'ServerOptions'],
};

/** Declared, but nowhere documented, and of no use on a server. */
const UNDOCUMENTED = new Set(['Connection.upgrading', 'Engine.httpServer']);

/**
 * The public members that socket.io declares.
 * @returns {Map<string, string[]>} their names, by section
 */
function declaredMembers() {
  const files = Object.values(DECLARATIONS).map(([file]) =>
    path.join(ROOT, 'node_modules', ...file.split('/')),
  );
  const options = { skipLibCheck: true, module: ts.ModuleKind.CommonJS, types: ['node'] };
  const program = ts.createProgram(files, options);
  const checker = program.getTypeChecker();
  return new Map(
    Object.entries(DECLARATIONS).map(([section, [, name]], index) => {
      const source = program.getSourceFile(files[index]);
      const declaration = source.statements.find((statement) => statement.name?.text === name);
      const type = checker.getTypeAtLocation(declaration.name);
      const names = checker
        .getPropertiesOfType(type)
        .filter((symbol) => isPublic(symbol) && !UNDOCUMENTED.has(`${section}.${symbol.name}`))
        .map((symbol) => symbol.name);
      return [section, names];
    }),
  );
}

/**
 * @param {import('typescript').Symbol} symbol - of a member
 * @returns {boolean} whether it is socket.io's own, and for its users
 */
function isPublic(symbol) {
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  return (
    !symbol.name.startsWith('_') &&
    symbol.declarations.some(
      (declaration) =>
        !/@types[\\/]node/.test(declaration.getSourceFile().fileName) &&
        !(ts.getCombinedModifierFlags(declaration) & hidden) &&
        !ts.getJSDocTags(declaration).some(({ tagName }) => tagName.text === 'private'),
    )
  );
}

module.exports = { declaredMembers, readTable };
