'use strict';

// The direction of imports between the Rust sources, read in them.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');

const SRC = path.join(__dirname, '..', '..', 'src');

/** The folders and files of src/, bottom up: each may import those of its own line and above. */
const LAYERS = [
  ['protocol', 'session'],
  ['io'],
  ['websocket'],
  ['engineio'],
  ['socketio'],
  ['bridge'],
  // The roots, which put them together.
  ['lib', 'fuzzing'],
];

/** What the lowest layer imports: nothing of the others, not even of its own. */
const LEAVES = LAYERS[0];

/** Files that hold nothing but tests. */
const TESTS = /(?:^|\/)(?:tests|properties)\.rs$/;

/** The code of a file, without comments, visibilities and its unit tests. */
function code(file) {
  return fs
    .readFileSync(path.join(SRC, file), 'utf8')
    .replace(/^#\[cfg\(test\)\]\nmod tests \{[^]*/m, '')
    .replace(/\/\/.*/g, '')
    .replace(/\bpub\([^)]*\)/g, '');
}

/** The module of a file, as a list of names: `io/mod.rs` is `['io']`. */
function moduleOf(file) {
  const names = file.replace(/\.rs$/, '').split('/');
  return names.at(-1) === 'mod' ? names.slice(0, -1) : names;
}

/** `a::{b::c, d}` as `[a, b, c]` and `[a, d]`. */
function* expand(text) {
  const open = text.indexOf('{');
  if (open < 0) {
    yield text.split('::').map((name) => name.trim().split(/\s/)[0]);
    return;
  }
  const before = text.slice(0, open).split('::').slice(0, -1);
  let depth = 0;
  let start = open + 1;
  for (let at = open; at < text.length; at += 1) {
    depth += { '{': 1, '}': -1 }[text[at]] ?? 0;
    if (depth === 0 || (depth === 1 && text[at] === ',')) {
      for (const rest of expand(text.slice(start, at))) {
        yield [...before.map((name) => name.trim()), ...rest];
      }
      start = at + 1;
    }
    if (depth === 0) return;
  }
}

/** The rest of a path that begins there: names, `::`, and whatever is in braces. */
function pathAt(text, start) {
  let depth = 0;
  let at = start;
  for (; at < text.length; at += 1) {
    if (text[at] === '{' && (depth > 0 || text.slice(at - 2, at) === '::')) depth += 1;
    else if (text[at] === '}' && depth > 0) {
      depth -= 1;
      if (depth === 0) return text.slice(start, at + 1);
    } else if (depth === 0 && !/[\w:]/.test(text[at])) break;
  }
  return text.slice(start, at);
}

/** Every source, with the sources that it imports. */
function imports() {
  const files = fs
    .readdirSync(SRC, { recursive: true })
    .map((name) => name.replaceAll(path.sep, '/'))
    .filter((name) => name.endsWith('.rs') && !TESTS.test(name));
  const fileOf = new Map(files.map((file) => [moduleOf(file).join('::'), file]));
  const resolve = (names) => {
    for (let length = names.length; length > 0; length -= 1) {
      const file = fileOf.get(names.slice(0, length).join('::'));
      if (file) return file;
    }
    return undefined;
  };
  const graph = new Map();
  for (const file of files) {
    const text = code(file);
    const here = moduleOf(file);
    const found = new Set();
    for (const { 0: root, index } of text.matchAll(/(?<![\w:])\w+(?=::)/g)) {
      const isChild = fileOf.has([...here, root].join('::'));
      if (!isChild && !['crate', 'super', 'self'].includes(root)) continue;
      for (const names of expand(pathAt(text, index))) {
        let at = isChild ? [...here] : [];
        let rest = names;
        if (root === 'super' || root === 'self') {
          at = [...here];
          for (; rest[0] === 'super' || rest[0] === 'self'; rest = rest.slice(1)) {
            if (rest[0] === 'super') at.pop();
          }
        } else if (root === 'crate') {
          rest = rest.slice(1);
        }
        const target = resolve([...at, ...rest.filter((name) => name !== 'self')]);
        if (target && target !== file) found.add(target);
      }
    }
    graph.set(file, found);
  }
  return graph;
}

/** The layer of a file, counted from below. */
function layer(file) {
  const name = file.split('/')[0].replace(/\.rs$/, '');
  const found = LAYERS.findIndex((names) => names.includes(name));
  assert.notEqual(found, -1, `${file} is in no layer`);
  return found;
}

/** A way from a file back to itself, if there is one. */
function circle(graph) {
  const done = new Set();
  const way = [];
  const visit = (file) => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
    if (done.has(file)) return undefined;
    way.push(file);
    for (const next of graph.get(file) ?? []) {
      const found = visit(next);
      if (found) return found;
    }
    way.pop();
    done.add(file);
    return undefined;
  };
  for (const file of graph.keys()) {
    const found = visit(file);
    if (found) return found;
  }
  return undefined;
}

describe('the layers of src/', () => {
  const graph = imports();

  it('the imports between the Rust sources are found', () => {
    const all = [...graph.values()].reduce((count, found) => count + found.size, 0);
    assert.ok(graph.size > 50 && all > 100, `${all} imports in ${graph.size} files`);
  });

  it('a folder of src/ imports none above it', () => {
    for (const [file, found] of graph) {
      for (const target of found) {
        assert.ok(layer(target) <= layer(file), `src/${file} imports src/${target}`);
      }
    }
  });

  it('session/ and protocol.rs import nothing but themselves', () => {
    for (const [file, found] of graph) {
      const name = moduleOf(file)[0];
      if (!LEAVES.includes(name)) continue;
      for (const target of found) {
        assert.equal(moduleOf(target)[0], name, `src/${file} imports src/${target}`);
      }
    }
  });

  it('no files of src/ import each other in a circle', () => {
    assert.equal(
      circle(graph)
        ?.map((file) => `src/${file}`)
        .join(' imports '),
      undefined,
    );
  });
});
