'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { connectFour, receive } = require('./world');

/** @type {Record<string, import('.').Feature>} */
const FEATURES = {
  'An emitter outside reaches the clients of both nodes': async (world) => {
    const clients = await connectFour(world);
    world.emitter.emit('hello', 1, { two: 'ä ✓' });
    world.emitter.emit('end');
    await receive(clients, Array(4).fill([['hello', 1, { two: 'ä ✓' }]]));
  },

  'An emitter outside reaches the members of rooms, except others': async (world) => {
    const clients = await connectFour(world);
    const [a1, , b1, b2] = clients;
    await Promise.all([a1.join('x'), b1.join('x', 'y'), b2.join('x', 'not')]);
    world.emitter.to('x').emit('one room');
    world.emitter.to('x').to('y').emit('two rooms');
    world.emitter.in('x').except('not').emit('except');
    world.emitter.except('x').emit('all but one room');
    world.emitter.to(b2.id).emit('private');
    world.emitter.emit('end');
    await receive(clients, [
      [['one room'], ['two rooms'], ['except']],
      [['all but one room']],
      [['one room'], ['two rooms'], ['except']],
      [['one room'], ['two rooms'], ['private']],
    ]);
  },

  'An emitter outside sends binary values': async (world) => {
    const clients = await connectFour(world);
    world.emitter.emit('binary', { bytes: Buffer.from([0, 128, 255]) });
    for (const client of clients) {
      const [{ bytes }] = await client.next('binary');
      assert.deepEqual(bytes, Buffer.from([0, 128, 255]));
    }
  },

  'An emitter outside sends large messages': async (world) => {
    const clients = await connectFour(world);
    const text = 'large '.repeat(50_000);
    world.emitter.emit('large', text);
    for (const client of clients) assert.deepEqual(await client.next('large'), [text]);
  },

  'An emitter outside sends volatile messages and such as are not compressed': async (world) => {
    const clients = await connectFour(world);
    world.emitter.volatile.emit('volatile');
    world.emitter.compress(false).emit('not compressed');
    world.emitter.emit('end');
    await receive(clients, Array(4).fill([['volatile'], ['not compressed']]));
  },

  'An emitter outside reaches the clients of a namespace only': async (world) => {
    await world.cluster.ready('/static');
    const clients = await connectFour(world, { namespace: '/static' });
    const others = await connectFour(world);
    world.emitter.of('/static').emit('hello');
    world.emitter.of('/static').emit('end');
    world.emitter.emit('end');
    await receive(clients, Array(4).fill([['hello']]));
    await receive(others, Array(4).fill([]));
  },

  'An emitter outside has sockets of both nodes join and leave': async (world) => {
    const clients = await connectFour(world);
    world.emitter.in([clients[0].id, clients[2].id]).socketsJoin(['x', 'y']);
    await Promise.all([clients[0].untilRooms('x', 'y'), clients[2].untilRooms('x', 'y')]);
    world.emitter.in('x').socketsLeave('y');
    await Promise.all([clients[0].untilRooms('x'), clients[2].untilRooms('x')]);
    world.emitter.to('x').emit('hello');
    world.emitter.to('y').emit('to nobody');
    world.emitter.emit('end');
    await receive(clients, [[['hello']], [], [['hello']], []]);
  },

  'An emitter outside disconnects sockets of both nodes': async (world) => {
    const clients = await connectFour(world);
    await Promise.all([clients[0].join('x'), clients[2].join('x')]);
    world.emitter.in('x').disconnectSockets();
    assert.equal(await clients[0].untilDisconnected(), 'io server disconnect');
    assert.equal(await clients[2].untilDisconnected(), 'io server disconnect');
    world.emitter.disconnectSockets(true);
    assert.match(await clients[1].untilDisconnected(), /^(io server disconnect|transport close)$/);
    assert.match(await clients[3].untilDisconnected(), /^(io server disconnect|transport close)$/);
  },

  'An emitter outside reaches both nodes themselves': async ({ a, b, emitter }) => {
    const arrive = Promise.all([once(a, 'news'), once(b, 'news')]);
    emitter.serverSideEmit('news', 1, { two: 2 });
    const news = ['/', 1, { two: 2 }];
    assert.deepEqual(await arrive, [news, news]);
  },
};

/** @type {Record<string, import('.').Feature>} */
const AUTHENTICATION = {
  'An emitter outside reaches authenticated sockets only': async (world) => {
    const clients = await connectFour(world);
    await Promise.all([clients[1].authenticate(), clients[3].authenticate()]);
    world.emitter.emit('hello');
    await Promise.all([clients[1].next('hello'), clients[3].next('hello')]);
    await Promise.all([clients[0].authenticate(), clients[2].authenticate()]);
    world.emitter.emit('end');
    await receive(clients, [[], [], [], []]);
  },
};

module.exports = { FEATURES, AUTHENTICATION };
