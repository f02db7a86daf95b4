'use strict';

// Subscriptions with the MessagePack parser, on both kinds of server, with the official client.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { it } = require('node:test');
const { io: connectTo } = require('socket.io-client');
const parser = require('socket.io-msgpack-parser');
const { TIMEOUT, subscribed } = require('../support/subscription-world');

const SERVERS = { native: { parser: 'msgpack' }, 4: { parser } };

for (const [server, options] of Object.entries(SERVERS)) {
  const on = server === 'native' ? 'the native server' : `socket.io ${server}`;

  it(
    `items with bytes arrive with the MessagePack parser and are acknowledged on ${on}`,
    TIMEOUT,
    subscribed(
      server,
      async (world) => {
        const COUNT = 10;
        world.sockets.defineSubscription('private', () => Array.from({ length: COUNT }, item), {
          window: 2,
        });
        world.sockets.defineSubscription('shared', { key: () => ({ key: 'a' }), window: 2 });
        const client = connectTo(world.url, { parser, transports: ['websocket'], forceNew: true });
        try {
          await once(client, 'connect');
          client.emit('authentication', {});
          await once(client, 'authenticated');
          for (const name of ['private', 'shared']) {
            const got = [];
            const all = new Promise((resolve) => {
              client.on(name, (value, meta, ack) => {
                got.push([value, meta]);
                ack?.();
                if (got.length === COUNT) resolve();
              });
            });
            const { result } = await client.emitWithAck(name, {});
            if (name === 'shared') {
              for (let i = 0; i < COUNT; i += 1) {
                world.sockets.publish('shared', { key: 'a' }, item(undefined, i));
              }
            }
            await all;
            const { source } = result;
            got.forEach(([value, meta], i) => {
              assert.equal(value.number, i);
              assert.deepEqual([...value.bytes], [0, 255, i]);
              assert.deepEqual(
                meta,
                name === 'shared' ? { source, id: `${source}-${i + 1}` } : { source },
              );
            });
          }
        } finally {
          client.close();
        }
      },
      options,
    ),
  );
}

/** @returns {object} an item */
function item(_, number) {
  return { number, bytes: Buffer.from([0, 255, number]) };
}
