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

describe('the border', () => {
  it('lets no panic of Rust end the process: every function that JavaScript calls catches it', () => {
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

  it('is in src/bridge: no value of JavaScript is anywhere else', () => {
    for (const [name, text] of sources()) {
      if (!name.startsWith('bridge/')) {
        assert.doesNotMatch(text, /\bnapi(?:_derive)?::|#\[napi\b/, name);
      }
    }
  });

  it('and the hand-over alone hold unsafe code, each block with its reason', () => {
    for (const [name, text] of sources()) {
      if (name === 'lib.rs') {
        assert.match(text, /#!\[deny\(unsafe_code\)\]/);
      } else if (!name.startsWith('bridge/') && name !== 'io/adopt_fd.rs') {
        assert.doesNotMatch(text, /\bunsafe\b/, name);
      }
    }
  });

  it('is not crossed by the session: it is pure', () => {
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
