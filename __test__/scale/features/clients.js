'use strict';

const assert = require('node:assert/strict');
const { receive } = require('./world');

const POLLING = { transports: ['polling'] };

/**
 * @param {string} title
 * @param {object} options of the clients
 * @returns {Record<string, import('.').Feature>} features with clients of a kind on both nodes
 */
function withClients(title, options) {
  return {
    [`Broadcasts reach ${title} on both nodes`]: async ({ a, b, connect }) => {
      const clients = [await connect(a, options), await connect(b, options), await connect(b)];
      await clients[1].join('room');
      await a.io().emit('hello', 1, { two: 'ä ✓' });
      await a.io().to('room').emit('to the room');
      await a.io().except(clients[1].id).emit('to the others');
      await a.io().emit('end');
      const hello = ['hello', 1, { two: 'ä ✓' }];
      await receive(clients, [
        [hello, ['to the others']],
        [hello, ['to the room']],
        [hello, ['to the others']],
      ]);
    },

    [`Binary broadcasts reach ${title} on both nodes`]: async ({ a, b, connect }) => {
      const clients = [await connect(a, options), await connect(b, options)];
      await a.io().emit('binary', { bytes: Buffer.from([0, 128, 255]) }, 'last');
      for (const client of clients) {
        const [{ bytes }, last] = await client.next('binary');
        assert.deepEqual(Buffer.from(bytes), Buffer.from([0, 128, 255]));
        assert.equal(last, 'last');
      }
    },

    [`Broadcasts with callbacks collect the answers of ${title}`]: async ({ a, b, connect }) => {
      const clients = [await connect(a, options), await connect(b, options)];
      clients.forEach((client, number) => client.answers('question', (x) => [number, x]));
      const answers = await a.io().timeout(5000).emitWithAck('question', 'x');
      assert.deepEqual(answers.sort(), [
        [0, 'x'],
        [1, 'x'],
      ]);
    },

    [`${title[0].toUpperCase()}${title.slice(1)} are among the remote sockets`]: async (world) => {
      const { a, b, connect } = world;
      const client = await connect(b, options);
      await a.remote(client).emit('hello');
      await client.next('hello');
      await a.remote(client).join('room');
      await client.untilRooms('room');
      await a.io().in('room').disconnectSockets();
      assert.equal(await client.untilDisconnected(), 'io server disconnect');
    },
  };
}

/** @type {Record<string, import('.').Feature>} */
const FEATURES = {
  ...withClients('clients by polling', POLLING),
  ...withClients('clients of version 2', { version: 2 }),
  ...withClients('clients of version 2 by polling', { version: 2, ...POLLING }),

  'A client that changes to WebSocket misses no broadcast of the other node': async (world) => {
    const { a, b, connect } = world;
    const client = await connect(b, { transports: ['polling', 'websocket'] });
    const { engine } = client.socket.io;
    const numbers = Array.from({ length: 20 }, (_, number) => number);
    let sent = 0;
    while (engine.transport.name !== 'websocket' || sent === 0) {
      await a.atOnce((node) => numbers.map((number) => node.io().emit('count', sent + number)));
      sent += numbers.length;
    }
    await a.io().emit('end');
    const counts = Array.from({ length: sent }, (_, number) => ['count', number]);
    await receive([client], [counts]);
  },
};

module.exports = { FEATURES };
