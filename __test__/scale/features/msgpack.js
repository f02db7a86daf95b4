'use strict';

const assert = require('node:assert/strict');
const { connectFour, receive, sorted } = require('./world');

/**
 * Nodes and clients that speak MessagePack instead of JSON.
 *
 * @type {Record<string, import('.').Feature>}
 */
const FEATURES = {
  'Broadcasts in MessagePack reach the clients of both nodes': async (world) => {
    const clients = await connectFour(world);
    await clients[2].join('room');
    await world.a.io().emit('hello', { text: 'ä ✓', number: -1.5, nothing: null });
    await world.a.io().to('room').emit('to the room');
    await world.a.io().emit('end');
    const hello = ['hello', { text: 'ä ✓', number: -1.5, nothing: null }];
    await receive(clients, [[hello], [hello], [hello, ['to the room']], [hello]]);
  },

  'Binary values in MessagePack reach the clients of both nodes': async (world) => {
    const [near, , far] = await connectFour(world);
    await world.a.io().emit('binary', { bytes: Buffer.from([0, 128, 255]) });
    for (const client of [near, far]) {
      const [{ bytes }] = await client.next('binary');
      assert.deepEqual(Buffer.from(bytes), Buffer.from([0, 128, 255]));
    }
  },

  'Broadcasts in MessagePack collect the answers of both nodes': async (world) => {
    const clients = await connectFour(world);
    clients.forEach((client, number) => client.answers('question', (x) => [number, x]));
    const answers = await world.a.io().timeout(5000).emitWithAck('question', 'x');
    assert.deepEqual(
      sorted(answers),
      [0, 1, 2, 3].map((number) => [number, 'x']),
    );
  },

  'Remote sockets are reached in MessagePack': async ({ a, b, connect }) => {
    const client = await connect(b);
    client.answers('question', (x) => x);
    assert.equal(await a.remote(client).timeout(5000).emitWithAck('question', 'x'), 'x');
    await a.remote(client).disconnect();
    assert.equal(await client.untilDisconnected(), 'io server disconnect');
  },
};

module.exports = { FEATURES };
