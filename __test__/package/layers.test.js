'use strict';

// Which files of lib/ may require which: a folder knows those below it, and no two files each other.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');

const LIB = path.join(__dirname, '..', '..', 'lib');

/** What is in lib/, bottom up. What shares a line does not know each other. */
const LAYERS = [
  ['help.js'],
  ['errors.js'],
  ['events.js', 'host-kinds.js', 'check-options.js'],
  ['observability'],
  ['native'],
  ['calls', 'define-api.js'],
  ['subscriptions'],
  ['auth'],
  ['loopback3'],
  ['hosted', 'socketio'],
  ['http'],
  ['register', 'metrics', 'doctor', 'loopback-socket.js'],
];

/**
 * The files of a folder of lib/, with what each requires of lib/.
 * @returns {Map<string, string[]>} by path, with `/` between folders
 */
function requires() {
  const files = fs
    .readdirSync(LIB, { recursive: true })
    .map((file) => file.replaceAll(path.sep, '/'))
    .filter((file) => /\.m?js$/.test(file));
  return new Map(
    files.map((file) => {
      const text = fs.readFileSync(path.join(LIB, file), 'utf8').replace(/\/\*[^]*?\*\//g, '');
      const found = text.matchAll(/(?:\brequire(?:\.resolve)?\(|\bfrom )'(\.[^']*)'/g);
      const paths = [...found]
        .map(([, name]) => require.resolve(path.join(LIB, path.dirname(file), name)))
        .map((target) => path.relative(LIB, target).replaceAll(path.sep, '/'));
      return [file, paths.filter((target) => !target.startsWith('../'))];
    }),
  );
}

/**
 * @param {string} file - a path in lib/
 * @returns {string} the folder or file at the top of lib/ that it belongs to
 */
const unitOf = (file) => file.split('/')[0];

/**
 * @param {string} file - a path in lib/
 * @returns {number} how high its layer is; -1 if it is in none
 */
const heightOf = (file) => LAYERS.findIndex((layer) => layer.includes(unitOf(file)));

/**
 * @param {Map<string, string[]>} graph - what each file requires
 * @returns {string[] | undefined} files that require each other in a circle, if there are any
 */
function circleIn(graph) {
  const done = new Set();
  const visit = (file, above) => {
    if (above.includes(file)) {
      return [...above.slice(above.indexOf(file)), file];
    }
    if (done.has(file)) {
      return undefined;
    }
    for (const target of graph.get(file) ?? []) {
      const circle = visit(target, [...above, file]);
      if (circle !== undefined) return circle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of graph.keys()) {
    const circle = visit(file, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

describe('layers of lib/', () => {
  const graph = requires();

  it('every file of lib/ belongs to a layer', () => {
    assert.deepEqual(
      [...graph.keys()].filter((file) => heightOf(file) < 0),
      [],
    );
    assert.ok(graph.size > 50, `${graph.size} files are looked at`);
  });

  it('a file of lib/ requires only files of its own folder or of a layer below', () => {
    const wrong = [...graph].flatMap(([file, targets]) =>
      targets
        .filter((target) => unitOf(target) !== unitOf(file) && heightOf(target) >= heightOf(file))
        .map((target) => `${file} requires ${target}`),
    );
    assert.deepEqual(wrong, []);
  });

  it('no files of lib/ require each other in a circle', () => {
    assert.equal(circleIn(graph)?.join(' -> '), undefined);
  });
});
