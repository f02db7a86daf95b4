'use strict';

const assert = require('node:assert/strict');
const { it } = require('node:test');
const { ROOT, runForeignSuite } = require('../support/foreign-suite');

it("the original's own test suite passes unchanged", async () => {
  const suite = require.resolve('loopback-socket-original/test/test.js');
  const { passes, failures } = await runForeignSuite(suite, {
    'index.js': `module.exports = require(${JSON.stringify(ROOT)});`,
  });
  assert.deepEqual(failures, []);
  assert.equal(passes.length, 14);
});
