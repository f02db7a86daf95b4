'use strict';

const assert = require('node:assert/strict');

/** @type {Record<string, import('../features').Feature>} */
module.exports = {
  'A broadcast to everyone reaches the clients of both nodes, once': async ({ a, b, connect }) => {
    const clients = await Promise.all([connect(a), connect(a), connect(b), connect(b)]);
    await a.io().emit('hello', 1, { two: [3] });
    await a.io().emit('end');
    for (const client of clients) {
      assert.deepEqual(await client.until('end'), [['hello', 1, { two: [3] }]]);
    }
  },
};
