'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { receive } = require('./world');

/** @type {Record<string, import('.').Feature>} */
const FEATURES = {
  'serverSideEmit() reaches the other node and not its own': async ({ a, b }) => {
    const own = [];
    const note = (...args) => own.push(args);
    a.on('news', note);
    const arrives = once(b, 'news');
    await a.io().serverSideEmit('news', 1, { two: [3] }, 'ä ✓');
    assert.deepEqual(await arrives, ['/', 1, { two: [3] }, 'ä ✓']);
    const back = once(a, 'news');
    await b.io().serverSideEmit('news', 'back');
    await back;
    a.off('news', note);
    assert.deepEqual(own, [['/', 'back']]);
  },

  'serverSideEmit() stays in its namespace': async ({ a, b, cluster }) => {
    await cluster.ready('/static');
    const arrives = once(b, 'news');
    await a.io('/static').serverSideEmit('news', 1);
    assert.deepEqual(await arrives, ['/static', 1]);
  },

  'serverSideEmit() with a callback collects the answers of other nodes': async ({ a, b }) => {
    const result = await a.io().serverSideEmitWithCallback('who', 'x', 2);
    assert.deepEqual(result, { error: undefined, responses: [[b.name, 'x', 2]] });
  },

  'serverSideEmitWithAck() collects the answers of other nodes': async ({ a, b }) => {
    assert.deepEqual(await a.io().serverSideEmitWithAck('who'), [b.name]);
  },

  'Both nodes can ask each other at once': async ({ a, b }) => {
    const [first, second] = await Promise.all([
      a.io().serverSideEmitWithAck('who'),
      b.io().serverSideEmitWithAck('who'),
    ]);
    assert.deepEqual([first, second], [[b.name], [a.name]]);
  },

  'A node can pass on to its clients what another node tells it': async ({ a, b, connect }) => {
    const [near, far] = [await connect(a), await connect(b)];
    await a.io().serverSideEmit('pass on', 'hello', 1);
    assert.deepEqual(await far.next('hello'), [1]);
    await a.io().emit('end');
    await receive([near], [[]]);
  },

  'serverSideEmit() carries binary values to the other node': async ({ a, b }) => {
    const arrives = once(b, 'news');
    await a.io().serverSideEmit('news', Buffer.from([0, 128, 255]));
    const [, bytes] = await arrives;
    assert.deepEqual(Buffer.from(bytes), Buffer.from([0, 128, 255]));
  },
};

/**
 * Those that wait for the timeout of an adapter, five seconds with most.
 *
 * @type {Record<string, import('.').Feature>}
 */
const WAITING = {
  'serverSideEmit() with a callback fails when a node does not answer': async ({ a }) => {
    const result = await a.io().serverSideEmitWithCallback('silence');
    assert.match(
      result.error,
      /^timeout reached: (only 0 responses received out of 1|missing 1 responses)$/,
    );
    assert.deepEqual(result.responses, []);
  },

  'serverSideEmitWithAck() is rejected when a node does not answer': async ({ a }) => {
    await assert.rejects(a.io().serverSideEmitWithAck('silence'), {
      message: /^timeout reached: (only 0 responses received out of 1|missing 1 responses)$/,
      responses: [],
    });
  },
};

module.exports = { FEATURES, WAITING };
