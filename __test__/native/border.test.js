'use strict';

// The border between JavaScript and Rust, read in its sources.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');

const SRC = path.join(__dirname, '..', '..', 'src');

/** Every Rust source with its text. */
function sources() {
  return fs
    .readdirSync(SRC, { recursive: true })
    .filter((name) => name.endsWith('.rs'))
    .map((name) => [name.replaceAll(path.sep, '/'), fs.readFileSync(path.join(SRC, name), 'utf8')]);
}

describe('the border between JavaScript and Rust', () => {
  it('every Rust function that JavaScript calls catches panics', () => {
    let functions = 0;
    for (const [name, text] of sources()) {
      const attribute =
        /#\[napi(?:\(((?:[^()]|\([^()]*\))*)\))?\]\s*(?:#\[[^\]]*\]\s*)*([a-z() ]*?)\b(fn|impl|struct|enum)\b/g;
      for (const [, options = '', , item] of text.matchAll(attribute)) {
        if (item === 'fn') {
          functions += 1;
          assert.match(options, /\bcatch_unwind\b/, `${name}: #[napi(${options})]`);
        }
      }
    }
    assert.ok(functions > 20, `${functions} functions were found`);
  });

  it('only src/bridge uses values of JavaScript', () => {
    for (const [name, text] of sources()) {
      if (!name.startsWith('bridge/')) {
        assert.doesNotMatch(text, /\bnapi(?:_derive)?::|#\[napi\b/, name);
      }
    }
  });

  it('only src/bridge and the hand-over have unsafe code', () => {
    for (const [name, text] of sources()) {
      if (name === 'lib.rs') {
        assert.match(text, /#!\[deny\(unsafe_code\)\]/);
      } else if (!name.startsWith('bridge/') && name !== 'io/adopt_fd.rs') {
        assert.doesNotMatch(text, /\bunsafe\b/, name);
      }
    }
  });

  it('src/session does no I/O', () => {
    for (const [name, text] of sources()) {
      if (name.startsWith('session/')) {
        assert.doesNotMatch(
          text,
          /\b(?:napi|tokio|engineioxide\w*|socketioxide\w*|std::(?:thread|net|time))::/,
          name,
        );
      }
    }
  });
});
