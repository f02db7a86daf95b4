'use strict';

// What a client can cost a server that has much to do, and what such a server still owes its clients.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const { Body } = require('../lib/body');
const { TIMEOUT } = require('./native/support');
const { inChild } = require('./native/child');

describe('the body of a POST', () => {
  it('sent in chunks of one byte takes memory for its bytes only', TIMEOUT, async () => {
    const { bytes, kept } = await inChild('chunks.js', [], { execArgv: ['--expose-gc'] });
    assert.ok(kept < 20 * bytes, `${kept} bytes are kept of ${bytes}`);
  });

  it('is whole however it is cut into chunks, and takes at most twice its length', () => {
    const all = Buffer.from(Array.from({ length: 5000 }, (_, i) => i % 251));
    for (const size of [1, 7, 1024, 4999, 5000]) {
      const body = new Body(5000);
      for (let at = 0; at < all.length; at += size) {
        assert.equal(body.add(all.subarray(at, at + size)), true);
        assert.ok(body.capacity <= Math.min(Math.max(2 * body.length, 1024), 5000));
      }
      assert.deepEqual(body.whole(), all);
    }
    assert.deepEqual(new Body(5000).whole(), Buffer.alloc(0));
  });

  it('is let go of as soon as it is beyond the limit', () => {
    for (const first of [0, 3, 10]) {
      const body = new Body(10);
      body.add(Buffer.alloc(first));
      assert.equal(body.add(Buffer.alloc(11 - first)), false);
      assert.equal(body.add(Buffer.alloc(1)), false);
      assert.equal(body.capacity, 0);
    }
  });
});
